// The send path against a socket that takes as much as it likes.
#include <cerrno>

#include "proto/http/framing.h"
#include "tests/sim/world/scenario.h"

namespace tocsin::sim {
namespace {

void four_events(SimScenario& scenario) {
  scenario.publish({{"a", "one"}, {"b", "two\nlines"}, {"a", "three"}, {"c", "x"}});
}

class SimCut : public ::testing::TestWithParam<proto::Framing> {
 protected:
  // Bytes of the frames of four_events() for a reader of `topics`.
  static std::size_t bytes_of(const Model& model, const std::vector<std::string>& topics,
                              Sequence after) {
    std::string bytes;
    for (Sequence s = after; (s = model.next(topics, s)) != 0;) {
      proto::append_framed(bytes, GetParam(), model.at(s).frame);
    }
    return bytes.size();
  }
  void cut_everywhere(const std::vector<std::string>& topics);
};
INSTANTIATE_TEST_SUITE_P(Framings, SimCut,
                         testing::Values(proto::Framing::close, proto::Framing::chunked),
                         [](const auto& of) {
                           return of.param == proto::Framing::close ? "close" : "chunked";
                         });

// Each broadcast is cut one byte later than the one before, and the rest of it again. Beside it a
// reader of the other framing, cut elsewhere, stands at the same position.
void SimCut::cut_everywhere(const std::vector<std::string>& topics) {
  SimScenario scenario(plain());
  SimSubscriber& subscriber = scenario.subscribe(topics, {}, GetParam());
  SimSubscriber& other = scenario.subscribe(topics, {},
                                         GetParam() == proto::Framing::close
                                             ? proto::Framing::chunked
                                             : proto::Framing::close);
  std::size_t bytes = 1;
  for (std::size_t cut = 0; cut <= bytes && !scenario.world.failed(); ++cut) {
    auto& script = subscriber.socket()->script;
    script = {cut == 0 ? -EAGAIN : static_cast<std::int64_t>(cut), 1, -EAGAIN, 7};
    other.socket()->script = {static_cast<std::int64_t>(bytes / 2 + 1), -EAGAIN, 3};
    const Sequence before = scenario.world.model.last();
    four_events(scenario);
    scenario.run();
    bytes = bytes_of(scenario.world.model, topics, before);
    for (const SimSubscriber* reader : {&subscriber, &other}) {
      ASSERT_TRUE(reader->stream()->caught_up(scenario.world.now_ms())) << "cut at " << cut;
      ASSERT_EQ(reader->stream()->error(), "") << "cut at " << cut;
      ASSERT_TRUE(reader->chunks() == nullptr || reader->chunks()->between()) << "cut at " << cut;
    }
    script.clear();
    other.socket()->script.clear();
  }
  EXPECT_GT(bytes, 60U);
  scenario.finish();
}

TEST_P(SimCut, BroadcastOfOneTopicCutAtEveryByte) {
  cut_everywhere({"a"});
}

TEST_P(SimCut, BroadcastOfManyTopicsCutAtEveryByte) {
  cut_everywhere({"a", "b", "c"});
}

TEST_P(SimCut, HeadAndReplayCutAtEveryByte) {
  SimScenario scenario(plain());
  for (int i = 0; i < 3; ++i) four_events(scenario);
  ASSERT_TRUE(scenario.world.settle());
  const std::size_t bytes = bytes_of(scenario.world.model, {"a", "b"}, 0) + 350;
  for (std::size_t cut = 0; cut <= bytes && !scenario.world.failed(); ++cut) {
    SimSubscriber::Plan plan;
    plan.topics = {"a", "b"};
    plan.start.kind = Start::Kind::earliest;
    plan.framing = GetParam();
    SimSubscriber& subscriber = scenario.connect(std::move(plan));
    subscriber.socket()->script = {cut == 0 ? -EAGAIN : static_cast<std::int64_t>(cut), 3};
    scenario.run();
    ASSERT_TRUE(subscriber.stream()->caught_up(scenario.world.now_ms())) << "cut at " << cut;
    ASSERT_GE(subscriber.stream()->events(), 9U);
    ASSERT_EQ(subscriber.stream()->error(), "") << "cut at " << cut;
    FakeKernel::close(*subscriber.socket());
    scenario.subscribers.clear();
  }
}

TEST(SimSend, FullSocketContinuesWhenThereIsRoom) {
  WorldOptions options = plain();
  options.kernel.least_capacity = options.kernel.most_capacity = 100;
  SimScenario scenario(options);
  SimSubscriber& subscriber = scenario.subscribe({"a"});
  for (int i = 0; i < 50; ++i) scenario.publish("a", std::string(40, 'x'));
  scenario.run(100);
  EXPECT_EQ(subscriber.stream()->events(), 50U);
  EXPECT_GT(scenario.world.state.metrics[0]->short_sends.get(), 10U);
  scenario.finish();
}

// More events at one position than a send may have pieces, for readers that get each as a piece.
TEST(SimSend, MoreFramesThanASendHasPieces) {
  WorldOptions options = room_for_large(plain());
  SimScenario scenario(options);
  for (const std::vector<std::string>& topics :
       {std::vector<std::string>{"a"}, std::vector<std::string>{"a", "b"}}) {
    for (const proto::Framing framing : {proto::Framing::close, proto::Framing::chunked}) {
      (void)scenario.subscribe(topics, {}, framing);
    }
  }
  constexpr std::size_t kEvents = 3 * limits::kMaxFrames + 7;
  std::vector<std::pair<std::string, std::string>> batch(kEvents, {"a", "x"});
  scenario.publish(batch);
  scenario.run();
  for (const SimSubscriber* reader : scenario.subscribers) {
    EXPECT_EQ(reader->stream()->events(), kEvents);
  }
  // Many owe the rest of a frame and stand at the same position.
  for (const SimSubscriber* reader : scenario.subscribers) {
    reader->socket()->script = {7, 50'000, 9};
  }
  for (std::size_t i = 0; i < limits::kSendBatch; ++i) {
    scenario.subscribe({"a"}, {}, proto::Framing::close).socket()->script = {7, 9, 20'000};
  }
  scenario.publish(batch);
  scenario.run(100);
  for (const SimSubscriber* reader : scenario.subscribers) {
    EXPECT_GE(reader->stream()->events(), kEvents);
  }
  scenario.finish();
}

TEST(SimSend, EventsOfTwoTopicsGoOutInOneSend) {
  SimScenario scenario(plain());
  SimSubscriber& subscriber = scenario.subscribe({"a", "b", "a"});
  const std::uint64_t before = subscriber.socket()->sends;
  scenario.publish({{"a", "1"}, {"b", "2"}, {"a", "3"}});
  scenario.run();
  EXPECT_EQ(subscriber.stream()->events(), 3U);
  EXPECT_EQ(subscriber.socket()->sends, before + 1);
  scenario.finish();
}

TEST(SimSend, NoBusyLoopWithoutKernelMemory) {
  SimScenario scenario(plain());
  SimSubscriber& subscriber = scenario.subscribe({"a"});
  scenario.world.kernel.options.starved_send = 100;
  const std::uint64_t before = scenario.world.kernel.counts.sends;
  scenario.publish("a", "x");
  scenario.world.pass(2000);
  const std::uint64_t tries = scenario.world.kernel.counts.sends - before;
  EXPECT_GE(tries, 5U);
  EXPECT_LE(tries, 30U);
  scenario.world.kernel.options.starved_send = 0;
  scenario.world.pass(300);
  scenario.run();
  EXPECT_EQ(subscriber.stream()->events(), 1U);
  scenario.finish();
}

// Answers that are blocked when the stream's request comes behind them.
TEST(SimSend, StreamBehindBlockedAnswersIsWatched) {
  for (const std::int64_t result : {-EAGAIN, -ENOBUFS}) {
    WorldOptions options = plain();
    options.server.slow_seconds = 1;
    SimScenario scenario(options);
    const SocketRef socket = scenario.world.kernel.connect_to(0, 1);
    socket->script = {result};
    scenario.world.kernel.write(*socket, "GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n");
    socket->capacity = 10;  // and when there is memory, there is no room
    scenario.world.turn(0);
    scenario.world.turn(0);
    scenario.world.kernel.write(*socket, "GET /events?stream=a HTTP/1.1\r\nHost: h\r\n\r\n");
    scenario.world.turn(0);
    scenario.world.pass(500);
    EXPECT_FALSE(socket->to_client.empty()) << "it is asked again";
    EXPECT_EQ(scenario.world.state.metrics[0]->streams_blocked.get(), 1U);
    scenario.world.pass(4000);
    EXPECT_TRUE(socket->shut_down) << "it takes nothing";
    scenario.finish();
  }
}

// An unread comment or answer must not be reset away: the last answer reaches a client that still
// sends.
TEST(SimSend, LastAnswerReachesAClientThatStillSends) {
  SimScenario scenario(plain());
  const SocketRef socket = scenario.world.kernel.connect_to(0, 1);
  scenario.world.kernel.write(*socket, "NONSENSE\r\n\r\nand on");
  for (int i = 0; i < 20; ++i) {
    scenario.world.turn(0);
    scenario.world.kernel.write(*socket, "and on");
  }
  EXPECT_TRUE(FakeKernel::read(*socket, SIZE_MAX).starts_with("HTTP/1.1 400 "));
  FakeKernel::finish(*socket);
  EXPECT_TRUE(scenario.world.settle());
  EXPECT_TRUE(socket->server_finished && !socket->server_reset);
  scenario.finish();
}

}  // namespace
}  // namespace tocsin::sim
