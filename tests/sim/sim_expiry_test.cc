// A stream whose credential is good for a time ends then, at whatever interval its shard looks.
#include <cstdint>
#include <string>
#include <utility>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "tests/net/support/test_access.h"
#include "tests/sim/world/scenario.h"
#include "tests/sim/world/sim_world.h"

namespace tocsin::sim {
namespace {

class SimExpiry : public ::testing::TestWithParam<std::uint32_t> {};
INSTANTIATE_TEST_SUITE_P(Heartbeats, SimExpiry, ::testing::Values(0, 3, 300));

// Somebody with a token that is good for a time.
class Holder final : public Visitor {
 public:
  explicit Holder(std::string token) : token_(std::move(token)) {}
  std::string fields() override { return net::bearer(token_); }
  bool may_be_answered(int status) override {
    last_status = status;
    return true;
  }
  int last_status = 0;

 private:
  std::string token_;
};

TEST_P(SimExpiry, AStreamEndsWhenItsCredentialDoes) {
  for (const std::int64_t lifetime_s : {1, 20, 100, 400}) {
    SCOPED_TRACE(lifetime_s);
    WorldOptions options = plain();
    options.server.heartbeat_s = GetParam();
    options.access = net::TestAccess{}.make();
    SimScenario scenario(options);
    World& world = scenario.world;
    const std::int64_t end_s = world.clock.unix_s() + lifetime_s;
    Holder holder(net::token_for(R"(["a"])", "[]", fmt::format(",\"exp\":{}", end_s)));
    SimSubscriber::Plan plan;
    plan.topics = {"a"};
    plan.visitor = &holder;
    SimSubscriber& reader = scenario.connect(std::move(plan));
    scenario.run();
    const SocketRef socket = reader.socket();
    ASSERT_TRUE(reader.stream() != nullptr && reader.stream()->begun());
    scenario.publish("a", "x");
    while (world.clock.unix_s() < end_s) {
      ASSERT_FALSE(socket->server_finished) << "too early";
      world.pass(250);
    }
    world.pass(2500);
    ASSERT_TRUE(socket->server_finished && !socket->server_reset);
    EXPECT_TRUE(socket->to_client.contains(
        "event: expired\ndata: {\"reason\":\"expired\"}\n\n"));
    scenario.act();
    EXPECT_EQ(world.sum([](const net::ShardMetrics& m) { return m.streams_withdrawn.get(); }), 1U);
    // Who comes back is told so.
    world.pass(1000);
    scenario.act();
    scenario.run();
    EXPECT_EQ(holder.last_status, 401);
    world.end(false);
  }
}

}  // namespace
}  // namespace tocsin::sim
