// Three Sentinels, a master and its replica: hubs follow whom the Sentinels make the master, and
// leave at once who is it no more.
#include <list>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "net/redis/redis_check.h"
#include "tests/net/redis/redis_fixture.h"

namespace tocsin::net {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;

class RedisSentinelTest : public RedisTest {
 protected:
  static constexpr int kSentinels = 3;

  void SetUp() override {
    RedisTest::SetUp();
    if (IsSkipped()) return;
    replica_.emplace(std::vector<std::string>{"--replicaof", "127.0.0.1",
                                              std::to_string(server().port())});
    for (int i = 0; i < kSentinels; ++i) {
      sentinels_.emplace_back(RedisServer::SentinelOf{server().port()});
    }
    for (const RedisServer& sentinel : sentinels_) {
      EXPECT_TRUE(eventually([&] {
        const std::string known = sentinel.ask({"SENTINEL", "MASTER", "m"});
        return known.contains("num-other-sentinels 2") && known.contains("num-slaves 1");
      }));
    }
    wait_replica(server(), replica());
  }
  void TearDown() override {
    RedisTest::TearDown();
    sentinels_.clear();
    replica_.reset();
  }
  RedisServer& replica() { return *replica_; }
  RedisServer& sentinel() { return sentinels_.front(); }
  RedisOptions options(unsigned replicas = 1) {
    RedisOptions options = server().options();
    options.url.servers.clear();
    for (const RedisServer& sentinel : sentinels_) {
      options.url.servers.push_back(sentinel.url().servers.front());
    }
    options.url.master = "m";
    options.url.replicas = replicas;
    return options;
  }
  [[nodiscard]] bool is_master(const RedisServer& one) {
    return sentinel().ask({"SENTINEL", "GET-MASTER-ADDR-BY-NAME", "m"}) ==
           "127.0.0.1 " + std::to_string(one.port());
  }
  void wait_master(const RedisServer& one) {
    EXPECT_TRUE(eventually([&] { return is_master(one); }));
  }
  // A planned one, until `user` has followed it. A Sentinel may say yes and give up later: it is
  // asked again, but not behind one that it has done, which would lead back.
  void fail_over(const StoreUser& user) {
    EXPECT_TRUE(eventually([&] {
      const std::string known = sentinel().ask({"SENTINEL", "MASTER", "m"});
      if (known.contains("failover_in_progress")) return false;
      if (known.contains(" port " + std::to_string(replica().port()) + " ")) return true;
      (void)sentinel().ask({"SENTINEL", "FAILOVER", "m"});
      return false;
    }));
    EXPECT_TRUE(eventually([&] { return user.link().failovers == 1; }));
  }

 private:
  std::optional<RedisServer> replica_;
  std::list<RedisServer> sentinels_;
};

// The old master takes commands for seconds yet; nobody may be told of what becomes of them.
TEST_F(RedisSentinelTest, APlannedFailoverIsFollowedAtOnce) {
  StoreUser& one = hub(options());
  StoreUser& other = hub(options());
  publish_while({&one, &other}, [&] {
    one.wait_told(20);
    fail_over(one);
    EXPECT_TRUE(server().ask({"ROLE"}).starts_with("master")) << "it was not left for an error";
    wait_replica(replica(), server());
    one.wait_told(one.told() + 20);
  });
  EXPECT_EQ(one.why_lost(), "");
  EXPECT_EQ(one.epochs().size(), 2U);
  EXPECT_EQ(hub(options()).events(), one.events());
}

TEST_F(RedisSentinelTest, AMasterThatIsKilledIsReplacedAndComesBackAsAReplica) {
  StoreUser& one = hub(options());
  StoreUser& other = hub(options());
  publish_while({&one, &other}, [&] {
    one.wait_told(20);
    server().kill();
    wait_master(replica());
    server().start();
    wait_replica(replica(), server());
    one.wait_told(one.told() + 20);
  });
  EXPECT_EQ(one.why_lost(), "");
  EXPECT_GE(one.link().failovers, 1U);
  EXPECT_EQ(hub(options()).events(), one.events());
}

// It does not know that it was replaced, and has commands in its sockets that it will work off.
TEST_F(RedisSentinelTest, AMasterThatStoodStillAcknowledgesNothingAfterwards) {
  StoreUser& one = hub(options());
  StoreUser& other = hub(options());
  publish_while({&one, &other}, [&] {
    one.wait_told(20);
    server().freeze();
    EXPECT_TRUE(eventually([&] { return one.link().failovers == 1; }))
        << "though the server has not answered with an error, nor been waited for";
    server().resume();
    wait_replica(replica(), server());
    one.wait_told(one.told() + 20);
  });
  EXPECT_EQ(one.why_lost(), "");
  EXPECT_EQ(hub(options()).events(), one.events());
}

TEST_F(RedisSentinelTest, SomeOfTheSentinelsMayBeGone) {
  sentinel().kill();
  commit(hub(options()), "a");
}

// One that is cut off from the others names a master of long ago.
TEST_F(RedisSentinelTest, TheNewestConfigurationCounts) {
  StoreUser& user = hub(options(0));
  commit(user, "a");
  EXPECT_TRUE(eventually([&] { return replica().ask({"HGET", "{test}:head", "s"}) == "1"; }));
  const RedisServer elsewhere;
  const RedisServer alone(RedisServer::SentinelOf{elsewhere.port()});
  fail_over(user);
  RedisOptions misled = options(0);
  misled.url.servers.insert(misled.url.servers.begin(), alone.url().servers.front());
  StoreUser& later = hub(misled);
  commit(later, "b");
  user.wait_told(2);
  expect_same(user, later);
}

TEST_F(RedisSentinelTest, WhatTheSentinelsLackIsNamed) {
  const auto well = check_redis(options());
  ASSERT_TRUE(well) << well.error();
  EXPECT_THAT(*well, IsEmpty());
  sentinel().kill();
  const auto weak = check_redis(options());
  ASSERT_TRUE(weak) << weak.error();
  EXPECT_THAT(*weak, Contains(HasSubstr("cannot connect")));
}

TEST_F(RedisSentinelTest, AMasterThatNobodyKnowsIsAnError) {
  RedisOptions wrong = options();
  wrong.url.master = "another";
  wrong.patience_ms = 60'000;  // it does not wait for what will not change
  const auto store = RedisStore::open(wrong);
  ASSERT_FALSE(store);
  EXPECT_THAT(store.error(), HasSubstr("No such master"));
}

TEST_F(RedisSentinelTest, ASentinelWithAPasswordGetsTheSame) {
  for (RedisServer* one : {&server(), &replica()}) {
    EXPECT_EQ(one->ask({"ACL", "SETUSER", "hub", "on", ">secret", "~*", "+@all"}), "OK");
  }
  EXPECT_EQ(sentinel().ask({"ACL", "SETUSER", "hub", "on", ">secret", "+@all"}), "OK");
  EXPECT_EQ(sentinel().ask({"ACL", "SETUSER", "default", "off"}), "OK");
  RedisOptions one = options();
  one.url.servers.resize(1);
  one.url.user = "hub";
  one.url.password = "secret";
  commit(hub(one), "a");
}

}  // namespace
}  // namespace tocsin::net
