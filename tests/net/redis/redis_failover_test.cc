// A Redis master and its replica: what a replica has to have before anybody is told, and how hubs
// go on with it when it is promoted.
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/net/redis/redis_fixture.h"

namespace tocsin::net {
namespace {

using testing::HasSubstr;

class RedisFailoverTest : public RedisTest {
 protected:
  void SetUp() override {
    RedisTest::SetUp();
    if (IsSkipped()) return;
    replica_.emplace(std::vector<std::string>{"--replicaof", "127.0.0.1",
                                              std::to_string(server().port())});
    wait_replica(server(), replica());
  }
  void TearDown() override {
    RedisTest::TearDown();
    replica_.reset();
  }
  RedisServer& replica() { return *replica_; }
  RedisOptions both() {
    RedisOptions options = server().options();
    options.url.servers.push_back(replica().url().servers.front());
    options.url.replicas = 1;
    return options;
  }
  // How often somebody has asked what the replica has, and was answered.
  long waits() {
    const std::string stats = server().ask({"INFO", "commandstats"});
    const auto at = stats.find("cmdstat_wait:calls=");
    return at == std::string::npos ? 0 : std::stol(stats.substr(at + 19));
  }
  void promote() { EXPECT_EQ(replica().ask({"REPLICAOF", "NO", "ONE"}), "OK"); }

 private:
  std::optional<RedisServer> replica_;
};

TEST_F(RedisFailoverTest, NobodyIsToldBeforeTheReplicaHasIt) {
  StoreUser& user = hub(both());
  commit(user, "a");
  replica().freeze();
  const core::Ticket ticket = user.append(events("b"));
  const long before = waits();
  EXPECT_TRUE(eventually([&] { return waits() > before + 3; })) << "it asks again";
  EXPECT_TRUE(eventually([&] { return user.link().behind == 1; }));
  EXPECT_EQ(user.told(), 1U) << "nor is anybody shown it";
  EXPECT_FALSE(user.answers().contains(ticket));
  replica().resume();
  EXPECT_EQ(user.wait_answer(ticket).outcome, Outcome::committed);
}

// Nor by a hub that starts.
TEST_F(RedisFailoverTest, AStartWaitsUntilTheReplicaHasWhatItShows) {
  StoreUser& writer = hub();  // which does not wait
  commit(writer, "a");
  replica().freeze();
  commit(writer, "b");
  RedisOptions options = both();
  options.patience_ms = 1;
  EXPECT_THAT(hub(options).why_lost(), HasSubstr("fewer than 1 replicas"));
  options.patience_ms = 60'000;
  const long before = waits();
  std::jthread later([&] {
    EXPECT_TRUE(eventually([&] { return waits() > before; })) << "somebody waits";
    replica().resume();
  });
  StoreUser& next = hub(options);
  later.join();
  EXPECT_EQ(next.why_lost(), "");
  EXPECT_EQ(next.told(), 2U);
  EXPECT_EQ(commit(next, "c").first, 3U);
}

// A repetition is no truer than what it repeats.
TEST_F(RedisFailoverTest, NobodyIsToldOfAKeyBeforeTheReplicaHasIt) {
  StoreUser& one = hub(both());
  StoreUser& other = hub(both());
  commit(one, "a");
  replica().freeze();
  const core::PublishKey key{.number = 1, .content = 7};
  const core::Ticket first = one.append(events("b"), key);
  EXPECT_TRUE(eventually([&] { return server().ask({"HGET", "{test}:head", "s"}) == "2"; }));
  const core::Ticket again = other.append(events("b"), key);
  const auto producers = [&] {
    return server().number({"EVAL", "return #redis.call('KEYS', '*:p:*')", "0"});
  };
  EXPECT_TRUE(eventually([&] { return producers() == 2; })) << "both are worked off";
  // Both hubs ask by both of their connections, a second each time.
  const long before = waits();
  EXPECT_TRUE(eventually([&] { return waits() > before + 4; }));
  EXPECT_EQ(other.link().behind, 1U);
  EXPECT_FALSE(one.answers().contains(first));
  EXPECT_FALSE(other.answers().contains(again));
  replica().resume();
  EXPECT_EQ(one.wait_answer(first).outcome, Outcome::committed);
  EXPECT_EQ(other.wait_answer(again).outcome, Outcome::repeated);
  EXPECT_EQ(other.wait_answer(again).place, one.wait_answer(first).place);
}

// What was sent before the server knew the script again is not there, whatever the replica has.
TEST_F(RedisFailoverTest, WhereItsScriptsAreFlushedNothingIsToldTooEarly) {
  StoreUser& one = hub(both());
  StoreUser& other = hub(both());
  publish_while({&one, &other}, [&] {
    for (int i = 0; i < 10; ++i) {
      one.wait_told(one.told() + 10);
      EXPECT_EQ(server().ask({"SCRIPT", "FLUSH"}), "OK");
    }
    one.wait_told(one.told() + 10);
  });
  EXPECT_EQ(outcomes(Outcome::refused) + outcomes(Outcome::unknown), 0U);
  EXPECT_EQ(one.link().reconnects + other.link().reconnects, 0U);
}

TEST_F(RedisFailoverTest, WhatIsAcknowledgedIsThereBehindAFailover) {
  StoreUser& one = hub(both());
  StoreUser& other = hub(both());
  for (int i = 0; i < 20; ++i) commit(one, std::to_string(i));
  other.wait_told(20);
  server().kill();
  promote();
  const RedisServer next({"--replicaof", "127.0.0.1", std::to_string(replica().port())});
  publish_until_taken(one, "after");
  one.wait_told(21);
  other.wait_told(21);
  expect_same(one, other);
  EXPECT_EQ(one.epochs().size(), 2U);
  EXPECT_EQ(one.why_lost(), "") << "it goes on with all of its streams";
}

// Asynchronous as it is, a replica may be promoted without what its master has acknowledged.
TEST_F(RedisFailoverTest, AHubThatHasShownWhatTheReplicaLacksSaysSo) {
  RedisOptions options = both();
  options.url.replicas = 0;
  StoreUser& user = hub(options);
  commit(user, "a");
  EXPECT_TRUE(eventually([&] { return replica().ask({"HGET", "{test}:head", "s"}) == "1"; }));
  promote();
  commit(user, "b");
  server().kill();
  EXPECT_TRUE(eventually([&] { return !user.why_lost().empty(); }));
  EXPECT_THAT(user.why_lost(), HasSubstr("newest events were lost"));
  EXPECT_EQ(hub(options).events(), events("a"));
}

TEST_F(RedisFailoverTest, AKeyGoesWithTheEventThatIsLost) {
  RedisOptions options = both();
  options.url.replicas = 0;
  StoreUser& user = hub(options);
  const core::PublishKey kept{.number = 1, .content = 7};
  const core::PublishKey lost{.number = 2, .content = 8};
  const core::StoreAnswer first = user.publish(events("a"), kept);
  EXPECT_TRUE(eventually([&] { return replica().ask({"HGET", "{test}:head", "s"}) == "1"; }));
  promote();
  EXPECT_EQ(user.publish(events("b"), lost).outcome, Outcome::committed);
  server().kill();
  EXPECT_TRUE(eventually([&] { return !user.why_lost().empty(); }));
  StoreUser& next = hub(options);
  EXPECT_EQ(next.publish(events("a"), kept).outcome, Outcome::repeated);
  EXPECT_EQ(next.publish(events("a"), kept).place, first.place);
  EXPECT_EQ(next.publish(events("b"), lost).outcome, Outcome::committed);
  EXPECT_EQ(next.told(), 2U);
}

TEST_F(RedisFailoverTest, AReplicaIsNoMaster) {
  RedisOptions options = replica().options();
  options.patience_ms = 1;
  const auto store = RedisStore::open(options);
  ASSERT_FALSE(store);
  EXPECT_THAT(store.error(), HasSubstr("is no master"));
}

}  // namespace
}  // namespace tocsin::net
