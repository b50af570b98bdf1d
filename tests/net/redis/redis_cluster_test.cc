// Nodes of a Redis Cluster: a history is in one slot, so in one of them, and hubs follow it there.
#include <cstddef>
#include <iterator>
#include <list>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/net/redis/redis_fixture.h"

namespace tocsin::net {
namespace {

class RedisClusterTest : public RedisTest {
 protected:
  struct Node {
    OwnPort bus;
    RedisServer server{{"--cluster-enabled", "yes", "--cluster-node-timeout", "2000",
                        "--cluster-port", std::to_string(bus.number()), "--appendonly", "yes"}};
  };

  // Two that have half of the slots each, and one that has none.
  void SetUp() override {
    RedisTest::SetUp();
    if (IsSkipped()) return;
    if (server().ask({"CONFIG", "GET", "cluster-port"}).empty()) {
      GTEST_SKIP() << "redis-server is older than 7.0, a node's second port cannot be chosen";
    }
    for (int i = 0; i < 3; ++i) nodes_.emplace_back();
    const RedisServer& first = nodes_.front().server;
    EXPECT_EQ(first.ask({"CLUSTER", "ADDSLOTSRANGE", "0", "8191"}), "OK");
    EXPECT_EQ(node(1).ask({"CLUSTER", "ADDSLOTSRANGE", "8192", "16383"}), "OK");
    for (const Node& one : nodes_) {
      if (&one.server == &first) continue;
      EXPECT_EQ(first.ask({"CLUSTER", "MEET", "127.0.0.1", std::to_string(one.server.port()),
                           std::to_string(one.bus.number())}),
                "OK");
    }
    for (const Node& one : nodes_) {
      EXPECT_TRUE(eventually([&] {
        const std::string info = one.server.ask({"CLUSTER", "INFO"});
        return info.contains("cluster_state:ok") && info.contains("cluster_known_nodes:3");
      }));
    }
    slot_ = first.ask({"CLUSTER", "KEYSLOT", "{test}:log"});
  }
  void TearDown() override {
    RedisTest::TearDown();
    nodes_.clear();
  }
  RedisServer& node(std::size_t index) {
    return std::next(nodes_.begin(), static_cast<std::ptrdiff_t>(index))->server;
  }
  // Who has the history, and who has the other slots.
  RedisServer& owner() { return node(std::stoi(slot_) < 8192 ? 0 : 1); }
  RedisServer& other() { return node(std::stoi(slot_) < 8192 ? 1 : 0); }
  RedisServer& spare() { return node(2); }
  // By one node's address.
  RedisOptions at(const RedisServer& node) {
    RedisOptions options = server().options();
    options.url.servers = node.url().servers;
    return options;
  }
  RedisOptions at_all() {
    RedisOptions options = at(node(0));
    options.url.servers.push_back(node(1).url().servers.front());
    options.url.servers.push_back(node(2).url().servers.front());
    return options;
  }
  void move_slot(RedisServer& from, RedisServer& to) {
    const std::string from_id = from.ask({"CLUSTER", "MYID"});
    const std::string to_id = to.ask({"CLUSTER", "MYID"});
    EXPECT_EQ(to.ask({"CLUSTER", "SETSLOT", slot_, "IMPORTING", from_id}), "OK");
    EXPECT_EQ(from.ask({"CLUSTER", "SETSLOT", slot_, "MIGRATING", to_id}), "OK");
    std::string key;
    while (!(key = from.ask({"CLUSTER", "GETKEYSINSLOT", slot_, "1"})).empty()) {
      EXPECT_EQ(from.ask({"MIGRATE", "127.0.0.1", std::to_string(to.port()), key, "0", "20000"}),
                "OK");
    }
    EXPECT_EQ(to.ask({"CLUSTER", "SETSLOT", slot_, "NODE", to_id}), "OK");
    EXPECT_EQ(from.ask({"CLUSTER", "SETSLOT", slot_, "NODE", to_id}), "OK");
  }

 private:
  std::list<Node> nodes_;
  std::string slot_;
};

TEST_F(RedisClusterTest, EveryNodeLeadsToTheHistory) {
  StoreUser& one = hub(at(owner()));
  StoreUser& two = hub(at(other()));
  StoreUser& three = hub(at(spare()));
  commit(one, "a");
  commit(two, "b");
  commit(three, "c");
  for (StoreUser* user : {&one, &two, &three}) user->wait_told(3);
  expect_same(one, two);
  expect_same(one, three);
  EXPECT_EQ(owner().number({"XLEN", "{test}:log"}), 4) << "its begin, and three commits";
}

TEST_F(RedisClusterTest, ASlotThatMovesIsFollowed) {
  StoreUser& one = hub(at_all());
  StoreUser& two = hub(at_all());
  publish_while({&one, &two}, [&] {
    one.wait_told(20);
    move_slot(owner(), other());
    one.wait_told(one.told() + 20);
    move_slot(other(), owner());
    one.wait_told(one.told() + 20);
  });
  EXPECT_EQ(outcomes(Outcome::unknown), 0U);
  EXPECT_EQ(one.why_lost(), "");
  EXPECT_GE(one.link().failovers, 2U);
  EXPECT_EQ(hub(at_all()).events(), one.events());
}

TEST_F(RedisClusterTest, AReplicaThatTakesOverIsFollowed) {
  EXPECT_EQ(spare().ask({"CLUSTER", "REPLICATE", owner().ask({"CLUSTER", "MYID"})}), "OK");
  wait_replica(owner(), spare());
  RedisOptions options = at_all();
  options.url.replicas = 1;
  StoreUser& one = hub(options);
  StoreUser& two = hub(options);
  for (int i = 0; i < 20; ++i) commit(one, std::to_string(i));
  owner().kill();
  EXPECT_EQ(spare().ask({"CLUSTER", "FAILOVER", "TAKEOVER"}), "OK");
  owner().start();  // and becomes the replica
  publish_until_taken(one, "after");
  one.wait_told(21);
  two.wait_told(21);
  expect_same(one, two);
  EXPECT_EQ(one.why_lost(), "");
}

}  // namespace
}  // namespace tocsin::net
