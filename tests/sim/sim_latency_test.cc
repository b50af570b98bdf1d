// What the histogram of delivery latency counts, by a clock that the test turns.
#include <cerrno>

#include "tests/sim/world/scenario.h"

namespace tocsin::sim {
namespace {

struct Latencies {
  std::uint64_t count = 0;
  std::uint64_t sum_us = 0;
};

Latencies latencies(const SimScenario& scenario) {
  Latencies all;
  for (const auto& metrics : scenario.world.state.metrics) {
    const auto& histogram = metrics->delivery_latency_us;
    for (std::size_t i = 0; i < histogram.size(); ++i) all.count += histogram.bucket(i);
    all.sum_us += histogram.sum();
  }
  return all;
}

TEST(SimLatency, CountsEachSendFromTheReceiptOfItsOldestEvent) {
  SimScenario scenario(plain());
  (void)scenario.subscribe({"a"});
  (void)scenario.subscribe({"a", "b"});
  scenario.publish("a", "one");
  scenario.world.clock.advance_us(3000);
  scenario.publish("a", "two");
  scenario.world.clock.advance_us(1000);
  scenario.run();
  const Latencies seen = latencies(scenario);
  EXPECT_EQ(seen.count, 2U) << "one send to each";
  EXPECT_EQ(seen.sum_us, 2 * 4000U);
  scenario.finish();
}

TEST(SimLatency, AReplayIsNoLatency) {
  SimScenario scenario(plain());
  scenario.publish("a", "old");
  scenario.world.clock.advance_us(60'000'000);
  SimSubscriber& late = scenario.subscribe({"a"}, {.kind = Start::Kind::earliest, .id = {}});
  EXPECT_EQ(late.stream()->events(), 1U);
  EXPECT_EQ(latencies(scenario).count, 0U);
  scenario.publish("a", "new");
  scenario.run();
  EXPECT_EQ(latencies(scenario).count, 1U);
  EXPECT_EQ(latencies(scenario).sum_us, 0U);
  scenario.finish();
}

TEST(SimLatency, AFullSocketsEventsHaveWaited) {
  SimScenario scenario(plain());
  SimSubscriber& reader = scenario.subscribe({"a"});
  reader.socket()->script = {-EAGAIN};
  scenario.publish("a", "x");
  scenario.world.turn(0);
  EXPECT_EQ(latencies(scenario).count, 0U);
  scenario.world.clock.advance_us(7000);
  scenario.run();
  EXPECT_EQ(reader.stream()->events(), 1U);
  EXPECT_EQ(latencies(scenario).count, 1U);
  EXPECT_EQ(latencies(scenario).sum_us, 7000U);
  scenario.finish();
}

// A request that waits for a shard that is behind was received when it was read.
TEST(SimLatency, WaitingForTheShardsIsPartOfIt) {
  SimScenario scenario(room_for_large(plain(2)));
  World& world = scenario.world;
  scenario.overload();
  Intent intent;
  intent.topic = "b";
  intent.data = "waits";
  world.note_topic("b");
  world.intents.emplace("waits", intent);
  const SocketRef publisher = world.kernel.connect_to(0, 1);
  world.kernel.write(
      *publisher,
      "POST /publish?stream=b HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nwaits");
  for (int i = 0; i < 50; ++i) {
    world.turn(0);
    world.clock.advance_us(1000);
  }
  ASSERT_GT(world.state.metrics[0]->publish_waits.get(), 0U);
  SimSubscriber::Plan plan;
  plan.topics = {"b"};
  (void)scenario.connect(std::move(plan));
  world.turn(0);
  const Latencies before = latencies(scenario);
  scenario.run(10);
  const Latencies after = latencies(scenario);
  EXPECT_GE(after.sum_us - before.sum_us, 50'000U);
  scenario.finish();
}

}  // namespace
}  // namespace tocsin::sim
