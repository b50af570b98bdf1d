// Topics that are removed while they are swept, while their readers leave, while sockets are full.
#include <algorithm>

#include <fmt/format.h>

#include "tests/sim/world/scenario.h"

namespace tocsin::sim {
namespace {

// Three batches of sends, each of which uses up a slice; more than one turn's share of endings.
constexpr int kReaders = 600;
constexpr std::uint64_t kSliceUs = 2000;
constexpr std::uint64_t kEvents = 3;

SocketRef open_stream(World& world, std::size_t shard, std::string_view target) {
  const SocketRef socket = world.kernel.connect_to(shard, 1);
  world.kernel.write(*socket, fmt::format("GET {} HTTP/1.1\r\nHost: h\r\n\r\n", target));
  return socket;
}

std::uint64_t count(std::string_view text, std::string_view part) {
  std::uint64_t n = 0;
  for (std::size_t at = 0; (at = text.find(part, at)) != std::string_view::npos;
       at += part.size()) {
    ++n;
  }
  return n;
}

void remove(World& world, std::string_view topic) {
  const auto wake = world.state.hub.with([&](core::Hub& hub) { return hub.remove(topic); });
  ASSERT_TRUE(wake.has_value());
  world.state.hub.wake(*wake);
}

// Readers of one topic and of two, on two shards; some leave; the removal falls between any two
// slices of a sweep.
void remove_in_mid_sweep(std::uint64_t seed) {
  SimScenario scenario(plain(2), seed);
  World& world = scenario.world;
  std::vector<SocketRef> readers;
  for (std::size_t i = 0; i < kReaders; ++i) {
    std::string target = i % 3 == 0 ? "/events?stream=a&stream=b" : "/events?stream=a";
    target += i % 5 < 2 ? "&framing=close" : "&framing=chunked";
    readers.push_back(open_stream(world, i % 2, target));
  }
  const SocketRef other = open_stream(world, 0, "/events?stream=b");
  ASSERT_TRUE(world.settle());
  world.clock.step_us = kSliceUs;
  for (std::uint64_t i = 0; i < kEvents; ++i) {
    scenario.publish("a", "x");
    // At least one: what nobody has seen of a removed topic the model would not know.
    for (std::uint64_t n = world.random.between(1, 5); n > 0; --n)
      world.turn(world.random.below(2));
    for (int n = 0; n < 10; ++n) FakeKernel::close(*world.random.pick(readers));
  }
  remove(world, "a");
  scenario.publish({{"b", "y"}});
  world.clock.step_us = 0;
  ASSERT_TRUE(world.settle());
  for (const SocketRef& reader : readers) {
    if (reader->client_gone) continue;
    ASSERT_TRUE(reader->server_finished && !reader->server_reset) << "seed " << seed;
    const std::string bytes = FakeKernel::read(*reader, SIZE_MAX);
    ASSERT_EQ(count(bytes, " x\n"), kEvents) << "seed " << seed;
    const bool chunked = bytes.find("Transfer-Encoding: chunked") != std::string::npos;
    ASSERT_TRUE(bytes.ends_with(chunked ? "\n\n\r\n0\r\n\r\n" : "\n\n")) << "seed " << seed;
  }
  EXPECT_FALSE(other->server_finished);
  EXPECT_EQ(count(FakeKernel::read(*other, SIZE_MAX), " y\n"), 1U);
  FakeKernel::close(*other);
  world.end(false);
}

TEST(SimRemoval, EveryReaderHasEverythingBeforeItsEnd) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) remove_in_mid_sweep(seed);
}

// One that is in the middle of a replay gets all of it, though no sweep waits for it.
TEST(SimRemoval, AReplayIsFinishedFirst) {
  WorldOptions options = plain();
  options.kernel.least_capacity = options.kernel.most_capacity = 1 << 30;
  options.server.history_count = 10'000;
  SimScenario scenario(options);
  World& world = scenario.world;
  constexpr std::uint64_t kEach = 500;
  for (std::uint64_t i = 0; i < kEach; ++i) scenario.publish({{"a", "x"}, {"b", "x"}});
  const SocketRef reader =
      open_stream(world, 0, "/events?stream=a&stream=b&last_event_id=earliest");
  for (int turn = 0; turn < 3; ++turn) world.turn(0);
  ASSERT_LT(count(reader->to_client, " x\n"), kEach);
  scenario.publish("a", "x");
  world.turn(0);  // see above
  remove(world, "a");
  ASSERT_TRUE(world.settle());
  EXPECT_TRUE(reader->server_finished && !reader->server_reset);
  EXPECT_EQ(count(reader->to_client, " x\n"), 2 * kEach + 1);
  FakeKernel::close(*reader);
  world.end(false);
}

// One that does not read is not waited for.
TEST(SimRemoval, AFullSocketEndsWithItsTopic) {
  WorldOptions options = plain();
  options.kernel.least_capacity = options.kernel.most_capacity = 4000;
  SimScenario scenario(options);
  World& world = scenario.world;
  const SocketRef deaf = open_stream(world, 0, "/events?stream=a");
  ASSERT_TRUE(world.settle());
  scenario.publish("a", std::string(10'000, 'x'));
  ASSERT_TRUE(world.settle());
  EXPECT_EQ(world.state.metrics[0]->streams_blocked.get(), 1U);
  remove(world, "a");
  ASSERT_TRUE(world.settle());
  EXPECT_TRUE(deaf->server_finished || deaf->server_reset);
  EXPECT_EQ(world.state.metrics[0]->streams_open.get(), 0U);
  world.state.hub.with([](core::Hub& hub) { EXPECT_EQ(hub.topics(), 0U); });
  FakeKernel::close(*deaf);
  world.end(false);
}

}  // namespace
}  // namespace tocsin::sim
