// What runs out, who is too slow, and how it ends.
#include <set>
#include <string>

#include "tests/sim/world/scenario.h"

namespace tocsin::sim {
namespace {

std::size_t open_streams(const SimScenario& scenario) {
  return scenario.world.sum([](const auto& m) { return m.streams_open.get(); });
}

// --- accepting

TEST(SimLimits, DescriptorsRunOutAndComeBack) {
  WorldOptions options = plain();
  // Standard streams, the listener, and one that is not for streams.
  options.kernel.descriptors = 3 + 1 + 4 + 1;
  SimScenario scenario(options);
  World& world = scenario.world;
  for (int i = 0; i < 4; ++i) (void)scenario.subscribe({"a"});
  // It has asked, and is not read: it makes no room for others.
  world.kernel.options.starved_receive = 100;
  const SocketRef asking = world.kernel.connect_to(0, 1);
  world.kernel.write(*asking, "GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n");
  world.pass(100);
  const std::uint64_t accepts = world.kernel.counts.accepts;
  std::vector<SocketRef> waiting;
  std::set<std::string> retry_afters;
  for (int i = 0; i < 10; ++i) {
    waiting.push_back(world.kernel.connect_to(0, 1));
    world.pass(100);
  }
  world.pass(500);
  EXPECT_LE(world.kernel.counts.accepts - accepts, 20U) << "a busy loop";
  for (const SocketRef& socket : waiting) {
    const std::string answer = FakeKernel::read(*socket, SIZE_MAX);
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 503 ")) << answer;
    EXPECT_NE(answer.find("\r\nDate: "), std::string::npos) << answer;
    EXPECT_NE(answer.find("\r\nAccess-Control-Allow-Origin: *\r\n"), std::string::npos) << answer;
    const std::size_t at = answer.find("\r\nRetry-After: ");
    ASSERT_NE(at, std::string::npos) << answer;
    retry_afters.insert(answer.substr(at, answer.find('\r', at + 2) - at));
  }
  EXPECT_GT(retry_afters.size(), 1U) << "they come back together";
  EXPECT_EQ(open_streams(scenario), 4U);
  world.kernel.options.starved_receive = 0;
  world.pass(100);
  EXPECT_TRUE(FakeKernel::read(*asking, SIZE_MAX).starts_with("HTTP/1.1 200 "));
  FakeKernel::close(*asking);
  FakeKernel::close(*scenario.subscribers.front()->socket());
  scenario.subscribers.erase(scenario.subscribers.begin());
  world.pass(300);
  SimSubscriber& late = scenario.subscribe({"a"});
  world.pass(300);
  scenario.publish("a", "x");
  scenario.run();
  ASSERT_TRUE(late.stream() != nullptr);
  EXPECT_EQ(late.stream()->events(), 1U);
}

// --- publishers wait for the shards, never the hub's memory for them

TEST(SimLimits, PublishersWaitForAShardThatIsBehind) {
  SimScenario scenario(room_for_large(plain(2)));
  World& world = scenario.world;
  scenario.overload();
  const SocketRef publisher = world.kernel.connect_to(0, 1);
  const auto say = [&](const std::string& token) {
    Intent intent;
    intent.topic = "a";
    intent.data = token;
    world.intents.emplace(token, intent);
    world.kernel.write(*publisher,
                       "POST /publish?stream=a HTTP/1.1\r\nHost: h\r\nContent-Length: " +
                           std::to_string(token.size()) + "\r\n\r\n" + token);
  };
  say("first");
  say("second");
  for (int i = 0; i < 100; ++i) {
    world.turn(0);
    world.clock.advance_us(1000);
  }
  EXPECT_EQ(publisher->to_client, "") << "it has to wait";
  EXPECT_EQ(world.state.metrics[0]->publish_waits.get(), 2U);
  EXPECT_GT(world.io(0).timeout_ms, 100U) << "and asks nobody meanwhile";
  scenario.run(10);
  const std::string answers = FakeKernel::read(*publisher, SIZE_MAX);
  const std::size_t first = answers.find("HTTP/1.1 204 ");
  EXPECT_EQ(first, 0U);
  EXPECT_NE(answers.find("HTTP/1.1 204 ", 1), std::string::npos);
  EXPECT_NE(world.intents.find("second")->second.sequence, 0U);
  FakeKernel::close(*publisher);
  scenario.finish();
}

// --- slow readers

struct Slow {
  SimScenario scenario;
  SimSubscriber* deaf = nullptr;
  SimSubscriber* fast = nullptr;

  Slow(net::SlowPolicy policy, std::vector<std::string> topics) : scenario(options_of(policy)) {
    SimSubscriber::Plan plan;
    plan.topics = std::move(topics);
    plan.pace = Pace::never;
    plan.never_reads_again = true;
    deaf = &scenario.connect(std::move(plan));
    deaf->socket()->capacity = 1000;
    fast = &scenario.subscribe({"a"});
  }
  static WorldOptions options_of(net::SlowPolicy policy) {
    WorldOptions options = plain();
    options.server.slow_policy = policy;
    options.server.slow_seconds = 2;
    return options;
  }
  void publish_for(int times) {
    for (int i = 0; i < times; ++i) {
      scenario.publish("a", std::string(100, 'x'));
      scenario.world.pass(100);
      fast->act(scenario.world);
    }
  }
};

TEST(SimLimits, DeafReaderIsDisconnectedAndNobodyElse) {
  Slow slow(net::SlowPolicy::disconnect, {"a"});
  slow.publish_for(80);
  EXPECT_TRUE(slow.deaf->socket()->shut_down);
  EXPECT_TRUE(slow.deaf->socket()->server_reset) << "what it did not read must not stay";
  EXPECT_EQ(slow.scenario.world.state.metrics[0]->slow_disconnects.get(), 1U);
  EXPECT_EQ(slow.fast->stream()->events(), 80U);
}

TEST(SimLimits, DeafReaderIsToldOfTheGapAndGoesOnWithTheNewest) {
  for (const std::vector<std::string>& topics :
       {std::vector<std::string>{"a"}, {"a", "quiet"}, {"quiet", "a"}}) {
    Slow slow(net::SlowPolicy::latest, topics);
    slow.publish_for(80);
    EXPECT_FALSE(slow.deaf->socket()->shut_down);
    slow.deaf->set_pace(Pace::slow);
    for (int i = 0; i < 20; ++i) {
      slow.deaf->act(slow.scenario.world);
      slow.scenario.world.pass(10);
    }
    EXPECT_EQ(slow.deaf->stream()->slow_gaps(), 1U);
    EXPECT_EQ(slow.deaf->stream()->position(), 80U);
    EXPECT_LT(slow.deaf->stream()->events(), 40U);
    slow.scenario.finish();
  }
}

// It was blocked for long, but it missed nothing: one event is the newest.
TEST(SimLimits, NoGapIsToldWhereNothingWasSkipped) {
  Slow slow(net::SlowPolicy::latest, {"b"});
  slow.deaf->socket()->script = {-EAGAIN};
  slow.deaf->socket()->capacity = 10;
  slow.publish_for(3);
  slow.scenario.publish("b", std::string(100, 'x'));
  slow.publish_for(80);
  slow.deaf->set_pace(Pace::slow);
  slow.deaf->socket()->capacity = 10'000;
  for (int i = 0; i < 20; ++i) {
    slow.deaf->act(slow.scenario.world);
    slow.scenario.world.pass(10);
  }
  EXPECT_EQ(slow.deaf->stream()->gaps(), 0U);
  EXPECT_EQ(slow.deaf->stream()->events(), 1U);
  slow.scenario.finish();
}

// --- options, and the end

TEST(SimLimits, NewOptionsLeaveStreamsOpen) {
  SimScenario scenario(plain(2));
  for (int i = 0; i < 10; ++i) (void)scenario.subscribe({"a"});
  net::ServerOptions options = scenario.world.options();
  options.heartbeat_s = 1;
  options.max_connections = 3;
  options.history_count = 0;
  scenario.world.set_options(options);
  scenario.publish("a", "x");
  scenario.world.pass(3000);
  scenario.run();
  EXPECT_EQ(open_streams(scenario), 10U);
  EXPECT_GE(scenario.world.sum([](const auto& m) { return m.heartbeats.get(); }), 20U);
  EXPECT_TRUE(
      scenario.ask(0, "GET /events HTTP/1.1\r\nHost: h\r\n\r\n").starts_with("HTTP/1.1 503 "));
  for (const SimSubscriber* subscriber : scenario.subscribers) {
    EXPECT_EQ(subscriber->stream()->events(), 1U);
  }
  scenario.finish();
}

TEST(SimLimits, DrainIsSpreadOverItsTimeAndEnds) {
  WorldOptions options = plain();
  options.server.drain_timeout_s = 4;
  SimScenario scenario(options);
  for (int i = 0; i < 40; ++i) (void)scenario.subscribe({"a"});
  scenario.world.ending = true;
  scenario.world.state.phase = net::Phase::draining;
  for (std::size_t quarter = 1; quarter <= 3; ++quarter) {
    scenario.world.pass(1000);
    EXPECT_NEAR(static_cast<double>(open_streams(scenario)),
                40.0 - 10.0 * static_cast<double>(quarter), 4.0);
  }
  scenario.world.pass(1200);
  EXPECT_EQ(scenario.world.shard(0).connections().used(), 0U);
  EXPECT_TRUE(scenario.world.shard(0).drained());
  EXPECT_EQ(scenario.ask(0, "GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n"), "") << "it waits";
  scenario.world.end(true);
}

// A client that has just connected, or asks on a connection of before, is served: a 503 or an end
// without an answer is final for some.
TEST(SimLimits, WhoIsThereWhenADrainBeginsIsServed) {
  constexpr std::string_view kAsk = "GET /events?stream=a HTTP/1.1\r\nHost: h\r\n\r\n";
  constexpr std::string_view kProbe = "GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n";
  WorldOptions options = plain();
  options.server.drain_timeout_s = 4;
  SimScenario scenario(options);
  FakeKernel& kernel = scenario.world.kernel;
  const SocketRef silent = kernel.connect_to(0, 1);  // the first slots: the drain begins there
  const SocketRef idle = kernel.connect_to(0, 1);
  const SocketRef asking = kernel.connect_to(0, 1);
  kernel.write(*idle, kProbe);
  kernel.write(*asking,
               "POST /publish?stream=a HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nab");
  EXPECT_TRUE(scenario.world.settle());
  EXPECT_TRUE(FakeKernel::read(*idle, SIZE_MAX).starts_with("HTTP/1.1 200 "));
  for (int i = 0; i < 40; ++i) (void)scenario.subscribe({"a"});
  scenario.world.ending = true;
  scenario.world.state.phase = net::Phase::draining;
  scenario.world.pass(1000);
  EXPECT_TRUE(FakeKernel::at_end(*idle)) << "its client expects that";
  EXPECT_FALSE(FakeKernel::at_end(*silent));
  kernel.write(*silent, kAsk);
  scenario.world.pass(1000);
  EXPECT_TRUE(FakeKernel::read(*silent, SIZE_MAX).starts_with("HTTP/1.1 200 "));
  EXPECT_FALSE(FakeKernel::at_end(*silent));
  scenario.world.pass(2200);
  EXPECT_EQ(FakeKernel::read(*silent, SIZE_MAX), proto::kLastChunk);
  EXPECT_TRUE(FakeKernel::at_end(*silent));
  EXPECT_TRUE(FakeKernel::read(*asking, SIZE_MAX).starts_with("HTTP/1.1 503 ")) << "in its middle";
  EXPECT_TRUE(FakeKernel::at_end(*asking));
  scenario.world.end(true);
}

TEST(SimLimits, SecondStopEndsAtOnce) {
  WorldOptions options = plain(2);
  options.server.drain_timeout_s = 15;
  SimScenario scenario(options);
  for (int i = 0; i < 40; ++i) (void)scenario.subscribe({"a", "b"});
  scenario.publish("a", "x");
  scenario.world.ending = true;
  scenario.world.state.phase = net::Phase::draining;
  scenario.world.pass(1000);
  EXPECT_GT(open_streams(scenario), 10U);
  const std::uint64_t before = scenario.world.now_ms();
  scenario.world.end(false);
  EXPECT_EQ(scenario.world.now_ms(), before);
}

TEST(SimLimits, IdleWorldSleeps) {
  SimScenario scenario(plain(2));
  for (int i = 0; i < 10; ++i) (void)scenario.subscribe({"a"});
  scenario.world.pass(1000);
  // Turned only when they ask for it, two shards turn for housekeeping alone.
  std::uint64_t turns = 0;
  const std::uint64_t until = scenario.world.now_ms() + 10'000;
  while (scenario.world.now_ms() < until) {
    std::uint32_t least = 1000;
    for (std::size_t i = 0; i < 2; ++i) {
      scenario.world.turn(i);
      ++turns;
      least = std::min(least, std::max(scenario.world.io(i).timeout_ms, 1U));
    }
    scenario.world.clock.advance_us(std::uint64_t{least} * 1000);
  }
  EXPECT_LE(turns, 200U);
}

}  // namespace
}  // namespace tocsin::sim
