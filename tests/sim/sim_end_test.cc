// How streams end that the hub ends: behind a whole event and with what ends the body, or by a
// reset that nobody takes for an end.
#include <cerrno>
#include <tuple>

#include "proto/http/framing.h"
#include "tests/sim/world/scenario.h"

namespace tocsin::sim {
namespace {

enum class Why : std::uint8_t { drain, age };

class SimEnd : public ::testing::TestWithParam<std::tuple<proto::Framing, Why>> {
 protected:
  static WorldOptions options() {
    WorldOptions options = plain();
    options.server.drain_timeout_s = 0;
    options.server.slow_seconds = 60;
    if (std::get<1>(GetParam()) == Why::age) options.server.max_stream_age_s = 20;
    return options;
  }
  proto::Framing framing() const { return std::get<0>(GetParam()); }

  // The event's bytes on the wire.
  static std::size_t size_of(const SimScenario& scenario, proto::Framing framing) {
    std::string bytes;
    proto::append_framed(bytes, framing, scenario.world.model.at(1).frame);
    return bytes.size();
  }

  // The hub's reason to end it comes up in the next turn, and nothing else does.
  void end(SimScenario& scenario) {
    World& world = scenario.world;
    world.kernel.options.late = 100;
    if (std::get<1>(GetParam()) == Why::drain) {
      world.ending = true;
      world.state.phase = net::Phase::draining;
    } else {
      world.clock.advance_us(30'000'000);
    }
    for (int i = 0; i < 40; ++i) {
      world.turn(0);
      world.clock.advance_us(250'000);
    }
    world.kernel.options.late = 0;
    EXPECT_EQ(world.state.metrics[0]->streams_open.get(), 0U);
  }
};
INSTANTIATE_TEST_SUITE_P(
    Ways, SimEnd,
    testing::Combine(testing::Values(proto::Framing::close, proto::Framing::chunked),
                     testing::Values(Why::drain, Why::age)),
    [](const auto& of) {
      return std::string(std::get<0>(of.param) == proto::Framing::close ? "close" : "chunked") +
             (std::get<1>(of.param) == Why::drain ? "Drain" : "Age");
    });

TEST_P(SimEnd, AnIdleStreamEndsProperly) {
  SimScenario scenario(options());
  const SimSubscriber& reader = scenario.subscribe({"a"}, {}, framing());
  const SocketRef socket = reader.socket();
  end(scenario);
  ASSERT_TRUE(scenario.world.settle());
  EXPECT_TRUE(socket->server_finished && !socket->server_reset);
  scenario.act();  // checks the end
  EXPECT_EQ(reader.socket(), nullptr);
  scenario.world.end(false);
}

// More readers than a sweep serves in one slice of a turn: they end with the event, not before it.
TEST_P(SimEnd, WhatWasPublishedBeforeComesFirst) {
  SimScenario scenario(options());
  constexpr int kReaders = 300;
  for (int i = 0; i < kReaders; ++i) (void)scenario.subscribe({"a"}, {}, framing());
  scenario.publish("a", "x");
  scenario.world.clock.step_us = 2000;  // a batch of sends uses up a slice
  end(scenario);
  scenario.world.clock.step_us = 0;
  ASSERT_TRUE(scenario.world.settle());
  for (SimSubscriber* subscriber : scenario.subscribers) {
    const SocketRef socket = subscriber->socket();
    ASSERT_TRUE(socket->server_finished && !socket->server_reset);
    ASSERT_NE(socket->to_client.find("data: "), std::string::npos);
  }
  scenario.act();
  scenario.world.end(false);
}

// The socket was full in the middle of an event and has room again, which nobody has heard of yet:
// the event is finished, then comes the end.
TEST_P(SimEnd, ACutEventIsFinishedFirst) {
  for (std::size_t cut = 0;; ++cut) {
    SCOPED_TRACE(cut);
    SimScenario scenario(options());
    const SimSubscriber& reader = scenario.subscribe({"a"}, {}, framing());
    const SocketRef socket = reader.socket();
    socket->script = {cut == 0 ? -EAGAIN : static_cast<std::int64_t>(cut)};
    scenario.publish("a", "x");
    scenario.world.turn(0);
    const std::size_t size = size_of(scenario, framing());
    ASSERT_EQ(socket->to_client.size(), std::min(cut, size));
    if (cut == size) break;
    end(scenario);
    // Nothing had gone out of the event, nothing was owed, and the socket was full.
    const bool reset = cut == 0 && framing() == proto::Framing::close;
    ASSERT_TRUE(scenario.world.settle());
    ASSERT_EQ(socket->server_reset, reset);
    ASSERT_TRUE(socket->server_finished);
    scenario.act();
    ASSERT_EQ(scenario.world.failure(), "");
    scenario.world.end(false);
  }
}

// The socket takes nothing of the rest, or not all of it.
TEST_P(SimEnd, WhatCannotBeFinishedIsReset) {
  for (const std::int64_t more : {-EAGAIN, 1}) {
    for (std::size_t cut = 1;; ++cut) {
      SCOPED_TRACE(cut);
      SimScenario scenario(options());
      const SimSubscriber& reader = scenario.subscribe({"a"}, {}, framing());
      const SocketRef socket = reader.socket();
      socket->script = {static_cast<std::int64_t>(cut), more};
      scenario.publish("a", "xx");
      scenario.world.turn(0);
      if (cut + 2 > size_of(scenario, framing())) break;
      end(scenario);
      ASSERT_TRUE(scenario.world.settle());
      ASSERT_TRUE(socket->server_reset);
      scenario.act();
      ASSERT_EQ(scenario.world.failure(), "");
      scenario.world.end(false);
    }
  }
}

// Other options later change nothing about it.
TEST(SimEndOfLife, IsKnownWhenAStreamOpens) {
  SimScenario scenario;
  World& world = scenario.world;
  net::ServerOptions options = world.options();
  options.max_stream_age_s = 20;
  world.set_options(options);
  const SocketRef mortal = scenario.subscribe({"a"}).socket();
  options.max_stream_age_s = 0;
  world.set_options(options);
  const SocketRef other = scenario.subscribe({"a"}).socket();
  world.pass(14'000);  // 20 s, less a quarter, and a second in which time is counted
  EXPECT_FALSE(mortal->server_finished);
  world.pass(20'000);
  EXPECT_TRUE(mortal->server_finished && !mortal->server_reset);
  EXPECT_FALSE(other->server_finished);
  EXPECT_EQ(world.state.metrics[0]->streams_open.get(), 1U);
  world.end(false);
}

// Who is ended comes back at once, and a shard that has yet to hear of the drain would take it.
TEST(SimDrain, EndsNobodyBeforeEveryShardHasStoppedToAccept) {
  WorldOptions options = plain(2);
  options.server.drain_timeout_s = 0;
  SimScenario scenario(options);
  World& world = scenario.world;
  while (world.shard(0).connections().used() == 0) (void)scenario.subscribe({"a"});
  world.ending = true;
  world.state.phase = net::Phase::draining;
  world.io(0).while_waiting = nullptr;  // the other shard stands still
  for (int i = 0; i < 10; ++i) world.turn(0);
  EXPECT_GT(world.shard(0).connections().used(), 0U);
  world.turn(1);  // stops to accept
  world.turn(0);
  EXPECT_GT(world.shard(0).connections().used(), 0U) << "the kernel may not have heard of it";
  world.turn(1);
  scenario.run();
  EXPECT_EQ(world.shard(0).connections().used() + world.shard(1).connections().used(), 0U);
  world.end(false);
}

}  // namespace
}  // namespace tocsin::sim
