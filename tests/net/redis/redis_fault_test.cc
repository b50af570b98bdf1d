// What befalls a Redis server under its hubs: acknowledged is there once, refused is nowhere, every
// hub is told of the same, and goes on, or says that it cannot.
#include <chrono>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/net/redis/redis_fixture.h"
#include "tests/net/redis/redis_history.h"

namespace tocsin::net {
namespace {

using testing::HasSubstr;

class RedisFaultTest : public RedisTest {
 protected:
  // Whose time-outs are over before the test is.
  RedisOptions hasty() {
    RedisOptions options = server().options();
    options.connect_ms = options.answer_ms = 1000;
    return options;
  }
  // The hub shows events 1 to 4, and the server loses the last three, which it notices. Returns
  // their place.
  core::Place show_and_lose(StoreUser& ahead) {
    commit(ahead, "kept");
    const core::Place lost = commit(ahead, "lost", 3);
    RedisHistory::lose(server(), 3);
    EXPECT_TRUE(eventually([&] { return !ahead.why_lost().empty(); }));
    return lost;
  }
};

TEST_F(RedisFaultTest, KilledAndStartedAgain) {
  StoreUser& one = hub();
  StoreUser& other = hub();
  publish_while({&one, &other}, [&] {
    for (int i = 0; i < 3; ++i) {
      one.wait_told(one.told() + 20);
      server().kill();
      server().start();
    }
    one.wait_told(one.told() + 20);
  });
  EXPECT_EQ(outcomes(Outcome::unknown), 0U) << "its disk has all, so all is known in the end";
  EXPECT_EQ(one.epochs().size(), 4U) << "each start is an epoch";
  EXPECT_EQ(one.why_lost(), "");
  EXPECT_EQ(hub().events(), one.events());
}

TEST_F(RedisFaultTest, FrozenForLongerThanAnybodyWaits) {
  StoreUser& one = hub(hasty());
  StoreUser& other = hub(hasty());
  publish_while({&one, &other}, [&] {
    for (int i = 0; i < 3; ++i) {
      one.wait_told(one.told() + 20);
      server().freeze();
      EXPECT_TRUE(eventually([&] {  // it has given the connection up
        const core::Ticket ticket = one.append(events("probe" + std::to_string(i)));
        return one.answers()[ticket].outcome == Outcome::refused;
      }));
      server().resume();
    }
    one.wait_told(one.told() + 20);
  });
  EXPECT_EQ(outcomes(Outcome::unknown), 0U);
  EXPECT_EQ(one.epochs().size(), 1U) << "it is the same server";
}

// With `always` it ends, and what it had not written it had not acknowledged.
TEST_F(RedisFaultTest, ItsDiskFull) {
  StoreUser& one = hub();
  StoreUser& other = hub();
  publish_while({&one, &other}, [&] {
    for (int i = 0; i < 3; ++i) {
      one.wait_told(one.told() + 20);
      server().fill_disk(true);
      server().wait_end();
      server().start();
    }
    one.wait_told(one.told() + 20);
  });
  EXPECT_EQ(one.why_lost(), "");
  EXPECT_EQ(hub().events(), one.events());
}

// Then it refuses, and goes on by itself.
TEST_F(RedisFaultTest, ItsDiskFullWithEverysec) {
  server().ask({"CONFIG", "SET", "appendfsync", "everysec"});
  StoreUser& one = hub();
  StoreUser& other = hub();
  publish_while({&one, &other}, [&] {
    one.wait_told(one.told() + 20);
    server().fill_disk(true);
    EXPECT_TRUE(eventually([&] {
      return one.publish(events("probe")).outcome == Outcome::refused;
    }));
    server().fill_disk(false);
    one.wait_told(one.told() + 20);
  });
  EXPECT_GT(outcomes(Outcome::refused), 0U);
  EXPECT_EQ(outcomes(Outcome::unknown), 0U);
}

TEST_F(RedisFaultTest, EveryConnectionCut) {
  StoreUser& one = hub();
  StoreUser& other = hub();
  publish_while({&one, &other}, [&] {
    for (int i = 0; i < 30; ++i) {
      one.wait_told(one.told() + 10);
      server().ask({"CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"});
    }
  });
  EXPECT_EQ(outcomes(Outcome::unknown), 0U);
  EXPECT_EQ(one.epochs().size(), 1U);
}

TEST_F(RedisFaultTest, StartedAgainWithNothing) {
  StoreUser& one = hub();
  StoreUser& other = hub();
  const core::Place place = commit(one, "before", 5);
  other.wait_told(place.last);
  server().kill();
  server().empty_disk();
  server().start();
  publish_until_taken(one, "after");
  one.wait_told(6);
  other.wait_told(6);
  expect_same(one, other);
  EXPECT_EQ(one.epochs().older().front(), (core::Epochs::Older{place.epoch, 5}))
      << "the ids of before are positions, also of hubs that come later";
  const StoreUser& later = hub();
  EXPECT_EQ(later.epochs(), one.epochs());
  EXPECT_EQ(later.beginning().last(), 5U) << "what was before is not there any more";
  EXPECT_EQ(later.events(), events("after"));
}

TEST_F(RedisFaultTest, FlushedUnderItsHubs) {
  StoreUser& one = hub();
  StoreUser& other = hub();
  for (int i = 0; i < 3; ++i) {
    commit_in_the_end(one, "x");
    other.wait_told(one.told());
    server().ask({"FLUSHALL"});
    // Seen though nobody publishes.
    const auto epochs = static_cast<std::size_t>(i) + 2;
    EXPECT_TRUE(eventually([&] { return one.epochs().size() == epochs; }));
    EXPECT_TRUE(eventually([&] { return other.epochs().size() == epochs; }));
  }
  publish_while({&one, &other}, [&] { one.wait_told(one.told() + 20); });
}

// Nobody is refused for it, and what was under way is sent again, once.
TEST_F(RedisFaultTest, ItsScriptsFlushed) {
  StoreUser& one = hub();
  StoreUser& other = hub();
  publish_while({&one, &other}, [&] {
    for (int i = 0; i < 20; ++i) {
      one.wait_told(one.told() + 10);
      EXPECT_EQ(server().ask({"SCRIPT", "FLUSH"}), "OK");
    }
    one.wait_told(one.told() + 10);
  });
  EXPECT_EQ(outcomes(Outcome::refused) + outcomes(Outcome::unknown), 0U);
  EXPECT_EQ(one.link().reconnects + other.link().reconnects, 0U);
}

// A hub that has shown events which are gone cannot go on, and says so; another goes on.
TEST_F(RedisFaultTest, ItsNewestEventsLost) {
  StoreUser& ahead = hub();
  const core::Place lost = show_and_lose(ahead);
  EXPECT_THAT(ahead.why_lost(), HasSubstr("4 was there"));
  EXPECT_EQ(ahead.publish(events("x")).outcome, Outcome::refused) << "it is done";
  server().kill();
  server().start();
  StoreUser& next = hub();
  EXPECT_EQ(next.events(), events("kept"));
  EXPECT_EQ(next.epochs().older().front(), (core::Epochs::Older{lost.epoch, 1}));
  EXPECT_EQ(commit(next, "new").first, 2U);
}

// As where an older copy of the keys is put back: what was lost had ids, which are not given again.
TEST_F(RedisFaultTest, ItsNewestEventsLostUnderAServerThatGoesOn) {
  const core::Place lost = show_and_lose(hub());
  StoreUser& next = hub();
  EXPECT_EQ(next.events(), events("kept"));
  const core::Place place = commit(next, "new");
  EXPECT_EQ(place.first, 2U);
  EXPECT_NE(place.epoch, lost.epoch);
  EXPECT_EQ(next.epochs().older().front(), (core::Epochs::Older{lost.epoch, 1}));
}

TEST_F(RedisFaultTest, HeadOrLogRemoved) {
  StoreUser& one = hub();
  StoreUser& other = hub();
  commit(one, "a");
  server().ask({"DEL", "{test}:head"});
  EXPECT_TRUE(eventually([&] { return one.epochs().size() == 2; }));
  publish_until_taken(other, "b");
  one.wait_told(2);
  server().ask({"RENAME", "{test}:log", "elsewhere"});
  publish_until_taken(one, "c");
  one.wait_told(3);
  other.wait_told(3);
  expect_same(one, other);
  EXPECT_EQ(hub().events(), events("c")) << "and what was before is gone";
}

// Who puts other things into the stream harms nobody.
TEST_F(RedisFaultTest, EntriesOfOthers) {
  StoreUser& one = hub();
  StoreUser& other = hub();
  commit(one, "a");
  server().ask({"XADD", "{test}:log", "*", "message", "hello"});
  publish_until_taken(other, "b");
  publish_until_taken(one, "c");
  one.wait_told(3);
  other.wait_told(3);
  expect_same(one, other);
}

TEST_F(RedisFaultTest, TrimmedBeforeAHubWasTold) {
  StoreUser& writer = hub();
  commit(writer, "a");
  auto store = RedisStore::open(server().options());
  ASSERT_TRUE(store) << store.error();
  commit(writer, "b");
  commit(writer, "c");
  server().ask({"XTRIM", "{test}:log", "MAXLEN", "1"});
  StoreUser late(**store);
  late.start();
  EXPECT_THAT(late.why_lost(), HasSubstr("was removed"));
  (*store)->stop();
}

// --- the server refuses

// A commit is there as a whole, or not at all, whichever command its user lacks.
TEST_F(RedisFaultTest, ACommandIsNotAllowed) {
  server().ask({"ACL", "SETUSER", "hub", "on", ">secret", "~{test}:*", "+@all"});
  RedisOptions options = server().options();
  options.url.user = "hub";
  options.url.password = "secret";
  StoreUser& one = hub(options);
  for (std::size_t i = 0; i < 2; ++i) {
    const core::PublishKey key{.number = 0, .content = i};
    commit(one, "a");
    for (const char* command : {"hset", "xadd", "hmget", "time"}) {
      SCOPED_TRACE(command);
      const core::Sequence told = one.told();
      server().ask({"ACL", "SETUSER", "hub", std::string("-") + command});
      const core::StoreAnswer answer =
          i == 0 ? one.publish(events("b")) : one.publish(events("b"), key);
      EXPECT_EQ(answer.outcome, Outcome::refused);
      server().ask({"ACL", "SETUSER", "hub", std::string("+") + command});
      publish_until_taken(one, "c");
      one.wait_told(told + 1);
      EXPECT_EQ(one.events().back(), events("c").front());
    }
  }
  for (const char* command : {"pexpire", "zadd", "zrange", "hdel", "rpush"}) {
    SCOPED_TRACE(command);
    server().ask({"ACL", "SETUSER", "hub", std::string("-") + command});
    core::PublishKey key{.number = 0, .content = 1};
    key.name[0] = static_cast<unsigned char>(one.told());
    EXPECT_EQ(one.publish(events("d"), key).outcome, Outcome::committed);
    server().ask({"ACL", "SETUSER", "hub", std::string("+") + command});
  }
  EXPECT_EQ(one.why_lost(), "");
  EXPECT_EQ(hub().events(), one.events());
}

TEST_F(RedisFaultTest, OutOfMemory) {
  StoreUser& one = hub();
  StoreUser& other = hub();
  publish_while({&one, &other}, [&] {
    for (int i = 0; i < 5; ++i) {
      one.wait_told(one.told() + 20);
      server().ask({"CONFIG", "SET", "maxmemory", "1"});
      EXPECT_TRUE(eventually([&] {
        return one.publish(events("probe" + std::to_string(i))).outcome == Outcome::refused;
      }));
      server().ask({"CONFIG", "SET", "maxmemory", "0"});
    }
    one.wait_told(one.told() + 20);
  });
  EXPECT_EQ(outcomes(Outcome::unknown), 0U);
  EXPECT_GT(outcomes(Outcome::refused), 0U);
}

// A server that takes connections and then refuses everything is not asked without a pause.
TEST_F(RedisFaultTest, WhoBringsNothingIsAskedEverMoreSeldom) {
  server().ask({"ACL", "SETUSER", "hub", "on", ">secret", "~{test}:*", "+@all"});
  RedisOptions options = server().options();
  options.url.user = "hub";
  options.url.password = "secret";
  StoreUser& one = hub(options);
  commit(one, "a");
  const auto begin = std::chrono::steady_clock::now();
  server().ask({"ACL", "SETUSER", "hub", "-xread"});
  EXPECT_TRUE(eventually([&] { return one.link().reconnects >= 12; }));
  EXPECT_GT(std::chrono::steady_clock::now() - begin, std::chrono::milliseconds(2000))
      << "the least that the pauses take";
  server().ask({"ACL", "SETUSER", "hub", "+xread"});
  publish_until_taken(one, "b");
  one.wait_told(2);
}

// As of a hub that published nothing for a day. What is refused for it is nowhere, and goes again.
TEST_F(RedisFaultTest, AProducerForgotten) {
  StoreUser& one = hub();
  for (int i = 0; i < 3; ++i) {
    SCOPED_TRACE(i);
    commit(one, "a");
    server().ask({"EVAL", "return redis.call('DEL', unpack(redis.call('KEYS', '*:p:*')))", "0"});
    std::vector<core::Ticket> tickets;
    for (int n = 0; n < 20; ++n) tickets.push_back(one.append(events("b")));
    for (const core::Ticket ticket : tickets) {
      EXPECT_EQ(one.wait_answer(ticket).outcome, Outcome::committed);
    }
  }
  EXPECT_EQ(one.told(), 63U) << "each once";
  EXPECT_EQ(one.link().reconnects, 0U);
}

// Or refused, where it was not sent.
TEST_F(RedisFaultTest, NothingIsUnknownOfWhatComesBehindAFlush) {
  StoreUser& one = hub();
  for (int i = 0; i < 20; ++i) {
    SCOPED_TRACE(i);
    (void)commit_in_the_end(one, "a");
    server().ask({"FLUSHALL"});
    EXPECT_NE(one.publish(events("b")).outcome, Outcome::unknown);
  }
}

// The server has forgotten how far a producer was.
TEST_F(RedisFaultTest, NumbersForgotten) {
  StoreUser& one = hub();
  StoreUser& other = hub();
  publish_while({&one, &other}, [&] {
    for (int i = 0; i < 3; ++i) {
      one.wait_told(one.told() + 20);
      server().ask({"EVAL", "return redis.call('DEL', unpack(redis.call('KEYS', '*:p:*')))", "0"});
    }
    one.wait_told(one.told() + 20);
  });
}

}  // namespace
}  // namespace tocsin::net
