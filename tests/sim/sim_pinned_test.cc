// Sockets that cut a large frame: the rest of it has its bound, whatever the log does meanwhile.
#include <cerrno>

#include "tests/sim/world/scenario.h"

namespace tocsin::sim {
namespace {

constexpr std::size_t kFrame = 50'000;  // has a page of its own

// The log lets go of all but about the newest event.
WorldOptions options_of(net::SlowPolicy policy) {
  WorldOptions options = plain();
  options.server.slow_policy = policy;
  options.server.slow_seconds = 60;
  options.server.slow_bytes = 1 << 30;  // nobody is slow by what it is behind
  options.server.history_total_bytes = 1 << 20;
  return options;
}

class SimPinned : public ::testing::TestWithParam<net::SlowPolicy> {
 protected:
  static constexpr std::size_t kTotal = 1 << 20;

  // Reads nothing; its socket takes the head of the stream and a part of a frame.
  SimSubscriber& stuck(std::vector<std::string> topics = {"a"}) {
    SimSubscriber::Plan plan;
    plan.topics = std::move(topics);
    plan.pace = Pace::never;
    SimSubscriber& subscriber = scenario.connect(std::move(plan));
    subscriber.socket()->capacity = 20'000;
    EXPECT_TRUE(scenario.world.settle());
    return subscriber;
  }
  void publish(std::size_t size = kFrame, const std::string& topic = "a") {
    scenario.publish(topic, std::string(size, 'x'));
    EXPECT_TRUE(scenario.world.settle());
    for (SimSubscriber* reader : reading) reader->act(scenario.world);
  }
  void read(SimSubscriber& subscriber) {
    subscriber.set_pace(Pace::fast);
    for (int i = 0; i < 300 && subscriber.socket(); ++i) {
      subscriber.act(scenario.world);
      EXPECT_TRUE(scenario.world.settle());
    }
  }
  std::size_t pinned() {
    return scenario.world.state.hub.with([](const core::Hub& hub) { return hub.pinned_bytes(); });
  }
  std::size_t in_memory() {
    return scenario.world.state.hub.with(
        [](const core::Hub& hub) { return hub.pinned_bytes() + hub.log_bytes(); });
  }
  std::uint64_t ended_slow() { return scenario.world.state.metrics[0]->slow_disconnects.get(); }
  std::uint64_t streams() { return scenario.world.state.metrics[0]->streams_open.get(); }

  SimScenario scenario{options_of(GetParam())};
  std::vector<SimSubscriber*> reading;
};
INSTANTIATE_TEST_SUITE_P(Policies, SimPinned,
                         testing::Values(net::SlowPolicy::disconnect, net::SlowPolicy::latest),
                         [](const auto& of) {
                           return of.param == net::SlowPolicy::latest ? "latest" : "disconnect";
                         });

// The log has dropped the frame that the reader is in the middle of, and those behind it. With
// `latest` it gets the rest of it all the same, and is told; else it is ended at its next send.
TEST_P(SimPinned, AFrameIsFinishedThoughTheLogHasDroppedIt) {
  SimSubscriber& reader = stuck();
  publish();
  EXPECT_EQ(pinned(), 0U) << "the log has it";
  for (int i = 0; i < 30; ++i) publish();
  EXPECT_GT(pinned(), kFrame);
  EXPECT_LT(pinned(), 2 * kFrame);
  EXPECT_LE(in_memory(), kTotal);
  read(reader);
  if (GetParam() == net::SlowPolicy::latest) {
    ASSERT_NE(reader.stream(), nullptr);
    EXPECT_EQ(reader.stream()->slow_gaps(), 1U);
    EXPECT_GT(reader.stream()->events(), 10U);
    EXPECT_EQ(ended_slow(), 0U);
  } else {
    EXPECT_EQ(ended_slow(), 1U);
  }
  scenario.world.pass(1000);
  EXPECT_EQ(pinned(), 0U);
  scenario.finish();
}

// One that reads on within what the log keeps is not slow, and nothing of it stays.
TEST_P(SimPinned, AReaderThatReadsOnLosesNothing) {
  SimSubscriber& reader = stuck();
  for (int i = 0; i < 5; ++i) publish();
  read(reader);
  ASSERT_NE(reader.stream(), nullptr);
  EXPECT_EQ(reader.stream()->events(), 5U);
  EXPECT_EQ(reader.stream()->gaps(), 0U);
  scenario.finish();
}

// The flood: every reader is in the middle of another frame.
TEST_P(SimPinned, PastTheBoundThoseThatPinTheOldestEnd) {
  reading.push_back(&scenario.subscribe({"a"}));
  constexpr std::size_t kReaders = 40;
  for (std::size_t i = 0; i < kReaders; ++i) {
    (void)stuck();
    publish();
    EXPECT_LE(pinned(), kTotal / limits::kPinnedShare);
    EXPECT_LE(in_memory(), kTotal + limits::kMaxPage);
  }
  EXPECT_GT(pinned(), kTotal / limits::kPinnedShare / 2) << "it is used";
  scenario.world.pass(2000);
  EXPECT_GT(ended_slow(), kReaders / 3);
  EXPECT_EQ(streams(), 1 + kReaders - ended_slow());
  // In the order of their age: the youngest are there.
  for (std::size_t i = 0; i < kReaders; ++i) {
    EXPECT_EQ(scenario.subscribers[i + 1]->socket()->shut_down, i < ended_slow()) << i;
  }
  EXPECT_EQ(reading.front()->stream()->events(), kReaders);
  EXPECT_EQ(reading.front()->stream()->gaps(), 0U);
  scenario.world.end(false);
}

// A frame that many are in the middle of is there once; a small rest is copied and pins nothing.
TEST_P(SimPinned, ManyReadersOfOneFrameShareIt) {
  for (int i = 0; i < 30; ++i) (void)stuck();
  publish();
  for (int i = 0; i < 30; ++i) publish();
  EXPECT_GT(pinned(), kFrame);
  EXPECT_LT(pinned(), 2 * kFrame);
  scenario.world.pass(1000);
  EXPECT_EQ(streams(), 30U);
  scenario.world.end(false);
}

TEST_P(SimPinned, SmallRestsPinNothing) {
  for (int i = 0; i < 30; ++i) {
    (void)stuck();
    publish(19'900 + static_cast<std::size_t>(i));  // the greeting takes some of the 20,000
  }
  EXPECT_GT(scenario.world.state.metrics[0]->short_sends.get(), 20U);
  EXPECT_EQ(pinned(), 0U);
  for (int i = 0; i < 60; ++i) publish();
  EXPECT_EQ(pinned(), 0U);
  for (SimSubscriber* reader : scenario.subscribers) read(*reader);
  scenario.world.pass(1000);  // those that were ended come back
  scenario.finish();
}

// What is left of a large rest becomes small.
TEST_P(SimPinned, APinIsGivenUpOnceTheRestIsSmall) {
  if (GetParam() == net::SlowPolicy::disconnect) return;  // is ended at its next send
  SimSubscriber& reader = stuck();
  publish();
  for (int i = 0; i < 30; ++i) publish();
  EXPECT_GT(pinned(), 0U);
  Socket& socket = *reader.socket();
  socket.capacity = 10 * kFrame;
  socket.script.assign(1000, -EAGAIN);
  socket.script.front() = kFrame - 20'000 - 3'000;
  scenario.world.pass(1000);
  EXPECT_LT(socket.to_client.size(), kFrame) << "it has not got the end of the frame";
  EXPECT_EQ(pinned(), 0U);
  socket.script.clear();
  read(reader);
  scenario.finish();
}

// A stream of several topics has the rest of a frame of one of them.
TEST_P(SimPinned, OfSeveralTopicsThePinIsOfOne) {
  SimSubscriber& reader = stuck({"a", "b"});
  publish(kFrame, "b");
  for (int i = 0; i < 30; ++i) publish();
  EXPECT_GT(pinned(), kFrame);
  EXPECT_LT(pinned(), 2 * kFrame);
  read(reader);
  scenario.world.pass(1000);
  EXPECT_EQ(pinned(), 0U);
  scenario.finish();
}

// A shard that sleeps has let go of what it sent: it may sleep for a second.
TEST(SimPinnedShard, HoldsNoPageWhileItSleeps) {
  SimScenario scenario(options_of(net::SlowPolicy::disconnect));
  (void)scenario.subscribe({"a"});
  (void)scenario.subscribe({"a", "b"});
  scenario.publish("a", "x");
  std::vector<core::Piece> pieces;
  scenario.world.state.hub.with([&](core::Hub& hub) {
    const std::string_view name = "a";
    const auto all = hub.subscribe({&name, 1}, {.kind = core::Resume::Kind::earliest}, 1,
                                   scenario.world.now_ms());
    (void)hub.read(all->topics, 0, 1000, 1, pieces);
    hub.drop_reader(all->topics);
    hub.leave(*all->topics.front().topic, 1, scenario.world.now_ms());
  });
  ASSERT_EQ(pieces.size(), 1U);
  const std::weak_ptr<core::Page> page = pieces.front().page;
  pieces.clear();
  scenario.world.turn(0);
  EXPECT_EQ(scenario.world.state.metrics[0]->deliveries.get(), 2U) << "this turn sent it";
  EXPECT_EQ(page.use_count(), 1) << "the log's";
  scenario.finish();
}

}  // namespace
}  // namespace tocsin::sim
