// Publishes with keys, at several hubs of one history: once, from whichever hub they come.
#include <map>
#include <mutex>
#include <sstream>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "net/redis/stored_history.h"
#include "net/store/batch_bytes.h"
#include "tests/net/redis/redis_fixture.h"
#include "tests/net/support/test_client.h"

namespace tocsin::net {
namespace {

using testing::HasSubstr;

core::PublishKey key_of(unsigned char name, std::uint64_t number = 0, std::uint64_t content = 7) {
  core::PublishKey key{.number = number, .content = content};
  key.name[0] = name;
  return key;
}

class RedisKeysTest : public RedisTest {
 protected:
  long count(const char* command) { return server().number({command, "{test}:keys:at"}); }

  // A commit of a producer of the test's own, as a hub would send it: what the script answers.
  struct Sent {
    std::string number{};  // of the producer
    std::string key{};     // empty: none
    std::string key_number = "0";
    std::string most = "100";
    std::string content = "abc";
  };
  std::string send(proto::Epoch epoch, const Sent& sent) {
    std::string bytes;
    std::string_view topic;
    const core::NewEvent event{.topic = "a", .id = "", .body = "data: x\n"};
    append_events(bytes, {&event, 1}, topic);
    std::vector<std::string> words{"EVAL", std::string(publish_script()), "4", "{test}:head",
                                   "{test}:log", "{test}:p:other", "{test}:marks"};
    if (!sent.key.empty()) {
      words[2] = "6";
      words.insert(words.end(), {"{test}:keys", "{test}:keys:at"});
    }
    words.insert(words.end(), {std::to_string(epoch), sent.number, "1", bytes, "other", "60000",
                               "0", "0", "65536"});
    if (!sent.key.empty()) {
      words.insert(words.end(), {sent.key, sent.key_number, sent.content, "60000", "32",
                                 sent.most});
    }
    return server().ask(words);
  }
  // Keys of one millisecond have no order of age.
  void next_millisecond() {
    const std::string now = millisecond();
    EXPECT_TRUE(eventually([&] { return millisecond() != now; }));
  }

 private:
  std::string millisecond() {
    const std::string time = server().ask({"TIME"});  // seconds and microseconds
    const std::size_t space = time.find(' ');
    return time.substr(0, space) + "." + std::to_string(std::stol(time.substr(space)) / 1000);
  }
};

TEST_F(RedisKeysTest, WhatOneHubHasPublishedAnotherRepeats) {
  StoreUser& one = hub();
  StoreUser& other = hub();
  const core::StoreAnswer first = one.publish(events("a", 3), key_of(1));
  ASSERT_EQ(first.outcome, Outcome::committed);
  const core::StoreAnswer again = other.publish(events("a", 3), key_of(1));
  EXPECT_EQ(again.outcome, Outcome::repeated);
  EXPECT_EQ(again.place, first.place);
  EXPECT_EQ(other.publish(events("b"), key_of(1, 0, 8)).outcome, Outcome::differs);

  EXPECT_EQ(one.publish(events("b"), key_of(2, 1)).outcome, Outcome::committed);
  const core::StoreAnswer hole = other.publish(events("d"), key_of(2, 3));
  EXPECT_EQ(hole.outcome, Outcome::hole);
  EXPECT_EQ(hole.expected, 2U);
  EXPECT_EQ(other.publish(events("c"), key_of(2, 2)).outcome, Outcome::committed);
  EXPECT_EQ(one.publish(events("d"), key_of(2, 3)).outcome, Outcome::committed);
  one.wait_told(6);
  other.wait_told(6);
  EXPECT_EQ(one.told(), 6U);
  expect_same(one, other);
}

// Said to two hubs at once, whose connections break all the while: there once, under one id.
TEST_F(RedisKeysTest, ToTwoHubsAtOnceOverConnectionsThatBreak) {
  StoreUser& one = hub();
  StoreUser& other = hub();
  std::map<std::uint64_t, std::vector<core::StoreAnswer>> answers;
  std::mutex mutex;
  constexpr std::uint64_t kNumbers = 60;
  {
    std::jthread cuts([&] {
      for (core::Sequence told = 10; told < kNumbers; told += 10) {
        one.wait_told(told);
        server().ask({"CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"});
      }
    });
    std::vector<std::jthread> publishers;
    for (StoreUser* user : {&one, &other}) {
      publishers.emplace_back([&, user] {
        for (std::uint64_t n = 1; n <= kNumbers;) {
          const auto answer = user->publish(events(std::to_string(n)), key_of(1, n));
          if (!answer.is_there()) {  // refused meanwhile
            (void)eventually([&] { return !user->link().away; });
            continue;
          }
          const std::scoped_lock lock(mutex);
          answers[n++].push_back(answer);
        }
      });
    }
  }
  one.wait_told(kNumbers);
  EXPECT_EQ(one.told(), kNumbers);
  for (const auto& [n, both] : answers) {
    ASSERT_EQ(both.size(), 2U);
    EXPECT_EQ(both[0].place, both[1].place);
    EXPECT_EQ(one.events_at(both[0].place), events(std::to_string(n)));
  }
}

// A hub whose answer was lost sends it again under the producer's number, and is told of the key.
TEST_F(RedisKeysTest, AnAnswerThatWasLostIsGivenAgain) {
  StoreUser& user = hub();
  const proto::Epoch epoch = user.epochs().current();
  const std::string place = std::to_string(epoch);
  EXPECT_EQ(send(epoch, {.number = "1", .key = "0a"}), "1");
  EXPECT_EQ(send(epoch, {.number = "1", .key = "0a"}), "repeated " + place + " 1 1");
  EXPECT_EQ(send(epoch, {.number = "2", .key = "0a"}), "repeated " + place + " 1 1");
  EXPECT_EQ(send(epoch, {.number = "2", .key = "0a"}), "repeated " + place + " 1 1");
  EXPECT_EQ(send(epoch, {.number = "3", .key = "0a", .content = "d"}), "differs");
  EXPECT_EQ(send(epoch, {.number = "4", .key = "0b", .key_number = "2"}), "hole 1");
  EXPECT_EQ(send(epoch, {.number = "5", .key = "0b", .key_number = "1"}), "2");
  EXPECT_EQ(send(epoch, {.number = "3", .key = "0a", .content = "d"}), "differs") << "an older one";
  EXPECT_EQ(send(epoch, {.number = "7", .key = "0c"}), "-NUMBER 5") << "nor is one left out";
  server().ask({"DEL", "{test}:keys", "{test}:keys:at"});
  EXPECT_EQ(send(epoch, {.number = "5", .key = "0b", .key_number = "1"}), "unknown");
  user.wait_told(2);
  EXPECT_EQ(user.told(), 2U);
}

// The server works a repetition off, and its connection is cut before the answer is sent.
TEST_F(RedisKeysTest, ARepetitionWhoseAnswerWasLostIsAnswered) {
  StoreUser& user = hub();
  const core::StoreAnswer first = user.publish(events("a"), key_of(1));
  TestClient cutter("127.0.0.1:" + std::to_string(server().port()));
  cutter.send("PING\r\n");
  ASSERT_TRUE(cutter.receive());
  server().freeze();
  const core::Ticket again = user.append(events("a"), key_of(1));
  EXPECT_TRUE(eventually([&] { return server().unread() == 1; }));
  cutter.send("CLIENT KILL TYPE normal SKIPME yes\r\n");
  EXPECT_TRUE(eventually([&] { return server().unread() == 2; }));
  server().resume();
  EXPECT_EQ(user.wait_answer(again).outcome, Outcome::repeated);
  EXPECT_EQ(user.wait_answer(again).place, first.place);
  publish_until_taken(user, "b");  // it may have yet to notice the cut
  EXPECT_EQ(user.told(), 2U);
}

TEST_F(RedisKeysTest, AKeyThatHasExpiredIsFree) {
  StoreUser& user = hub();
  ASSERT_EQ(user.publish(events("a"), key_of(1)).outcome, Outcome::committed);
  ASSERT_EQ(user.publish(events("b"), key_of(2, 1)).outcome, Outcome::committed);
  ASSERT_EQ(count("ZCARD"), 2);
  const long ttl = server().number({"PTTL", "{test}:keys"});
  EXPECT_GT(ttl, static_cast<long>(core::kPublishKeyMs) / 2);
  EXPECT_LE(ttl, static_cast<long>(core::kPublishKeyMs)) << "of all, where none comes any more";
  for (const char* key : {"01000000000000000000000000000000/0",
                          "02000000000000000000000000000000/1"}) {
    EXPECT_EQ(server().ask({"ZADD", "{test}:keys:at", "XX", "CH", "1", key}), "1") << "long ago";
  }
  EXPECT_EQ(user.publish(events("c"), key_of(3)).outcome, Outcome::committed);
  EXPECT_EQ(count("ZCARD"), 1);
  EXPECT_EQ(server().number({"HLEN", "{test}:keys"}), 1);
  EXPECT_EQ(user.publish(events("a"), key_of(1)).outcome, Outcome::committed);
  EXPECT_EQ(user.publish(events("b"), key_of(2, 2)).expected, 1U);
}

TEST_F(RedisKeysTest, PastTheBoundTheOldestGoes) {
  const proto::Epoch epoch = hub().epochs().current();
  for (int n = 1; n <= 30; ++n) {
    EXPECT_EQ(send(epoch, {.number = std::to_string(n),
                          .key = n % 2 == 0 ? "aa" : "0" + std::to_string(100 + n),
                          .key_number = n % 2 == 0 ? std::to_string(n / 2) : "0",
                          .most = "10"}),
              std::to_string(n));
    EXPECT_LE(count("ZCARD"), 10);
    EXPECT_LE(server().number({"HLEN", "{test}:keys"}), 11);
    next_millisecond();
  }
  EXPECT_THAT(send(epoch, {.number = "31", .key = "aa", .key_number = "11"}),
              HasSubstr("repeated"));
  EXPECT_EQ(send(epoch, {.number = "32", .key = "aa", .key_number = "10"}), "forgotten 16");
}

// However many keys there are, and though two have to go: each command is about one.
TEST_F(RedisKeysTest, ACommitWithAKeyCostsTheServerAFewCommandsMore) {
  const proto::Epoch epoch = hub().epochs().current();
  end_hub();  // which asks for things, too
  const auto calls = [&] {
    std::istringstream stats(server().ask({"INFO", "commandstats"}));
    long all = 0;
    for (std::string line; std::getline(stats, line);) {
      if (const auto at = line.find("calls="); at != std::string::npos) {
        all += std::stol(line.substr(at + 6));
      }
    }
    return all;
  };
  int number = 0;
  const auto cost = [&](Sent sent) {
    sent.number = std::to_string(++number);
    const long before = calls();
    EXPECT_EQ(send(epoch, sent), sent.number);
    return calls() - before;
  };
  (void)cost({});  // the first one makes a mark
  const long plain = cost({});
  for (int n = 1; n <= 40; ++n) {
    EXPECT_LE(cost({.key = "aa", .key_number = std::to_string(n)}), plain + 11);
  }
  for (int n = 0; n < 40; ++n) {
    EXPECT_LE(cost({.key = "b" + std::to_string(100 + n), .most = "20"}), plain + 16);
  }
  EXPECT_EQ(count("ZCARD"), 20);
}

}  // namespace
}  // namespace tocsin::net
