// A Redis master and its replica: what a replica has to have before anybody is told, and how hubs
// go on with it when it is promoted.
#include <optional>
#include <string>
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
  void promote() { EXPECT_EQ(replica().ask({"REPLICAOF", "NO", "ONE"}), "OK"); }

 private:
  std::optional<RedisServer> replica_;
};

TEST_F(RedisFailoverTest, NobodyIsToldBeforeTheReplicaHasIt) {
  StoreUser& user = hub(both());
  commit(user, "a");
  replica().freeze();
  const core::Ticket ticket = user.append(events("b"));
  const auto waits = [&] {
    const std::string stats = server().ask({"INFO", "commandstats"});
    const auto at = stats.find("cmdstat_wait:calls=");
    return at == std::string::npos ? 0 : std::stol(stats.substr(at + 19));
  };
  const long before = waits();
  EXPECT_TRUE(eventually([&] { return waits() > before + 3; })) << "it asks again";
  EXPECT_TRUE(eventually([&] { return user.link().behind == 1; }));
  EXPECT_EQ(user.told(), 1U) << "nor is anybody shown it";
  EXPECT_FALSE(user.answers().contains(ticket));
  replica().resume();
  EXPECT_EQ(user.wait_answer(ticket).outcome, Outcome::committed);
}

TEST_F(RedisFailoverTest, WhatIsAcknowledgedIsThereBehindAFailover) {
  StoreUser& one = hub(both());
  StoreUser& other = hub(both());
  for (int i = 0; i < 20; ++i) commit(one, std::to_string(i));
  other.wait_told(20);
  server().kill();
  promote();
  append(one, "after");
  const RedisServer next({"--replicaof", "127.0.0.1", std::to_string(replica().port())});
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

TEST_F(RedisFailoverTest, AReplicaIsNoMaster) {
  RedisOptions options = replica().options();
  options.patience_ms = 1;
  const auto store = RedisStore::open(options);
  ASSERT_FALSE(store);
  EXPECT_THAT(store.error(), HasSubstr("is no master"));
}

}  // namespace
}  // namespace tocsin::net
