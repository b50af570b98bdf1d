// Sweeps that are interrupted, readers that leave meanwhile, slots that are used again.
#include "tests/sim/world/scenario.h"

namespace tocsin::sim {
namespace {

// 300 readers make three batches, and with this clock each batch uses up a slice.
constexpr int kReaders = 300;
constexpr std::uint64_t kSliceUs = 2000;

void leave_in_mid_sweep(std::uint64_t seed) {
  SimScenario scenario(plain(), seed);
  World& world = scenario.world;
  for (int i = 0; i < kReaders; ++i) {
    SimSubscriber::Plan plan;
    plan.topics = {"a"};
    if (i % 3 == 0) plan.topics.emplace_back("b");
    (void)scenario.connect(std::move(plan));
  }
  scenario.run();
  for (int round = 0; round < 6 && !world.failed(); ++round) {
    world.clock.step_us = kSliceUs;
    world.kernel.options.full_send = world.kernel.options.short_send = round % 2 == 0 ? 0 : 20;
    world.kernel.options.late = 90;  // most sends fail before a hangup is told of
    scenario.publish({{"a", "x"}, {"b", "y"}});
    world.turn(0);  // the first slice
    for (int n = 0; n < 8; ++n) {
      const SimSubscriber& leaver = *world.random.pick(scenario.subscribers);
      if (!leaver.socket()) continue;
      // Those that were gone before the sweep came fail within it, the others hang up.
      if (world.random.chance(50)) {
        world.kernel.reset(*leaver.socket());
      } else {
        FakeKernel::close(*leaver.socket());
      }
    }
    if (world.random.chance(50)) world.turn(0);
    world.turn(0);
    world.clock.step_us = 0;
    world.kernel.options.late = 0;
    ASSERT_TRUE(world.settle());
    for (SimSubscriber* subscriber : scenario.subscribers) {
      if (subscriber->socket()->client_finished) continue;
      subscriber->act(world);
      ASSERT_TRUE(subscriber->stream()->caught_up(world.now_ms())) << "seed " << seed;
    }
    std::erase_if(scenario.subscribers,
                  [](const SimSubscriber* s) { return s->socket()->client_finished; });
  }
}

TEST(SimSweep, ReadersThatLeaveInMidSweepTakeNobodyWithThem) {
  for (std::uint64_t seed = 1; seed <= 10; ++seed) leave_in_mid_sweep(seed);
}

TEST(SimSweep, EverySliceLeavesTimeForOthers) {
  SimScenario scenario(plain());
  for (int i = 0; i < kReaders; ++i) {
    SimSubscriber::Plan plan;
    plan.topics = {"a"};
    (void)scenario.connect(std::move(plan));
  }
  scenario.run();
  scenario.world.clock.step_us = kSliceUs;
  scenario.publish("a", "x");
  const std::uint64_t before = scenario.world.kernel.counts.sends;
  scenario.world.turn(0);
  EXPECT_EQ(scenario.world.kernel.counts.sends, before + limits::kSendBatch);
  scenario.finish();
}

// One that reads as fast as it can from a topic that gets more in a turn than one send carries is
// never at the end. That is no reason for others to wait.
TEST(SimSweep, ReaderThatIsNeverAtTheEndDelaysNobody) {
  WorldOptions options = plain();
  options.kernel.least_capacity = options.kernel.most_capacity = 1 << 30;
  options.server.slow_bytes = 64 << 20;  // and with it what publishers may be ahead
  SimScenario scenario(options);
  (void)scenario.subscribe({"busy"});
  SimSubscriber& other = scenario.subscribe({"calm"});
  const std::string big(limits::kMaxSendBytes + 10'000, 'x');
  for (std::uint64_t i = 1; i <= 20; ++i) {
    scenario.publish({{"busy", big}, {"busy", big}, {"busy", big}, {"calm", "y"}});
    for (int turn = 0; turn < 2; ++turn) scenario.world.turn(0);
    scenario.act();
    // A sweep ends when the one before it is done: never more than a few turns.
    ASSERT_GE(other.stream()->events() + 12, i);
  }
  scenario.finish();
}

// A replay that takes many sends, of topics whose events alternate. Its reader also reads the calm
// topic, so it is one of those that each sweep visits.
TEST(SimSweep, ReplayDelaysNobody) {
  WorldOptions options = plain();
  options.kernel.least_capacity = options.kernel.most_capacity = 1 << 30;
  options.server.history_count = 10'000;
  SimScenario scenario(options);
  constexpr std::uint64_t kEach = 2000;
  for (std::uint64_t i = 0; i < kEach; ++i) scenario.publish({{"a", "x"}, {"b", "y"}});
  const SimSubscriber& other = scenario.subscribe({"calm"});
  SimSubscriber::Plan plan;
  plan.topics = {"a", "b", "calm"};
  plan.start = {.kind = Start::Kind::earliest, .id = {}};
  const SimSubscriber& reader = scenario.connect(std::move(plan));
  for (int turn = 0; turn < 3; ++turn) scenario.world.turn(0);
  for (std::uint64_t i = 1; i <= 10; ++i) {
    scenario.publish("calm", "z");
    for (int turn = 0; turn < 2; ++turn) scenario.world.turn(0);
    scenario.act();
    ASSERT_EQ(other.stream()->events(), i);
  }
  ASSERT_LT(reader.stream()->events(), 2 * kEach) << "the replay ended too early to say anything";
  scenario.finish();
}

TEST(SimSweep, SlotsAreUsedAgainAndStaleCompletionsDropped) {
  WorldOptions options = plain();
  options.kernel.stale = 100;
  SimScenario scenario(options);
  for (int i = 0; i < 200 && !scenario.world.failed(); ++i) {
    SimSubscriber& subscriber = scenario.subscribe({"a"});
    scenario.publish("a", "x");
    scenario.run();
    EXPECT_EQ(subscriber.stream()->events(), 1U);
    if (i % 2 == 0) {
      FakeKernel::close(*subscriber.socket());
      scenario.subscribers.pop_back();
    }
    if (scenario.subscribers.size() > 5) {
      FakeKernel::close(*scenario.subscribers.front()->socket());
      scenario.subscribers.erase(scenario.subscribers.begin());
    }
  }
  EXPECT_GT(scenario.world.kernel.counts.stale, 100U);
  EXPECT_EQ(scenario.world.state.metrics[0]->stale_completions.get(),
            scenario.world.kernel.counts.stale);
}

TEST(SimSweep, TopicsComeAndGo) {
  WorldOptions options = plain(2);
  options.server.topic_idle_s = 1;
  options.server.history_count = 0;
  options.server.slow_seconds = 1;
  SimScenario scenario(options);
  for (int round = 0; round < 5; ++round) {
    for (int i = 0; i < 10; ++i) {
      const std::string topic = "t" + std::to_string(i);
      SimSubscriber& subscriber = scenario.subscribe({topic, "t" + std::to_string(i / 2)});
      scenario.publish(topic, "x");
      scenario.run();
      EXPECT_EQ(subscriber.stream()->events(), 1U);
    }
    for (SimSubscriber* subscriber : scenario.subscribers) FakeKernel::close(*subscriber->socket());
    scenario.subscribers.clear();
    ASSERT_TRUE(scenario.world.settle());
    scenario.world.pass(4000);
    scenario.world.state.hub.with([](core::Hub& hub) { EXPECT_EQ(hub.topics(), 0U); });
  }
}

}  // namespace
}  // namespace tocsin::sim
