// Receivers against the real hub, on both kinds of poller.
#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/net/support/server_fixture.h"
#include "tests/tools/load/subscribers/receiver_bench.h"

namespace tocsin::load {
namespace {

using net::ServerTest;

class ReceiverHubTest : public ServerTest {
 protected:
  void SetUp() override {
    ServerTest::SetUp();
    if (IsSkipped()) return;
    start();
    run.options.subscribe.io = GetParam() == net::IoChoice::uring ? IoKind::uring : IoKind::epoll;
  }
  void TearDown() override {
    run.receiver.reset();
    ServerTest::TearDown();
  }
  void begin(std::uint32_t count, const std::string& target = "/events?topic=load") {
    run.start("http://" + address() + target, count);
  }
  void send_events(int count, std::uint32_t lane = 0, const std::string& topic = "load") {
    for (int i = 0; i < count; ++i) publish("topic=" + topic, run.next(lane));
  }

  LoadRun run;
};

TEST_P(ReceiverHubTest, EveryStreamGetsEveryEvent) {
  begin(50);
  EXPECT_EQ(run.receiver->io_name(), GetParam() == net::IoChoice::uring ? "io_uring" : "epoll");
  ASSERT_TRUE(run.wait_connected(50));
  send_events(20);
  ASSERT_TRUE(run.wait_delivered(1000));
  EXPECT_EQ(run.progress().heard, 50U);
  EXPECT_EQ(run.progress().connect_latency.count(), 50U);
  const CheckTotals totals = run.finish();
  expect_clean(totals);
  EXPECT_EQ(totals.delivered, 1000U);
  EXPECT_GT(totals.bytes, 1000U * kBytes);
  EXPECT_EQ(run.progress().latency.count(), 1000U);
  EXPECT_EQ(run.receiver->refusals().first, "");
}

// To the end that the hub makes of a stream, of which nothing is left for an event.
TEST_P(ReceiverHubTest, KnowsBothFramings) {
  const IoKind io = run.options.subscribe.io;
  for (const std::string framing : {"close", "chunked"}) {
    SCOPED_TRACE(framing);
    run.receiver.reset();
    run.published = std::make_unique<PublishProgress>(1);
    run.options = LoadOptions();
    run.options.subscribe.io = io;
    run.options.subscribe.framing = framing;
    begin(10, framing == "close" ? "/events?topic=close" : "/events?topic=chunked&_=1");
    ASSERT_TRUE(run.wait_connected(10));
    send_events(20, 0, framing);
    ASSERT_TRUE(run.wait_delivered(200));
    EXPECT_TRUE(server().remove_topic(framing));
    ASSERT_TRUE(eventually([&] { return run.progress().dropped == 10; }));
    const CheckTotals totals = run.finish();
    expect_clean(totals);
    EXPECT_EQ(totals.delivered, 200U);
  }
}

TEST_P(ReceiverHubTest, AnEventThatWasNotPublishedIsLostAtEveryStream) {
  begin(10);
  ASSERT_TRUE(run.wait_connected(10));
  send_events(2);
  (void)run.next();
  send_events(1);
  (void)run.next();
  ASSERT_TRUE(run.wait_delivered(30));
  EXPECT_EQ(run.progress().lost, 10U);
  EXPECT_EQ(run.finish().lost, 20U);
}

TEST_P(ReceiverHubTest, TopicsAreAssignedByIndex) {
  run.options.workload.topics = 3;
  begin(9, "/events?topic={topic}");
  ASSERT_TRUE(run.wait_connected(9));
  for (std::uint32_t lane = 0; lane < 3; ++lane) {
    send_events(static_cast<int>(lane) + 1, lane, run.options.workload.topic_name(lane));
  }
  ASSERT_TRUE(run.wait_delivered(3 * (1 + 2 + 3)));
  const CheckTotals totals = run.finish();
  expect_clean(totals);
  EXPECT_EQ(totals.delivered, 18U);
}

TEST_P(ReceiverHubTest, ACutComesBackWhereItWas) {
  run.options.scenario = Scenario::herd;
  begin(40);
  ASSERT_TRUE(run.wait_connected(40));
  send_events(5);
  ASSERT_TRUE(run.wait_delivered(200));
  run.receiver->cut(0.5);
  ASSERT_TRUE(eventually([&] { return run.progress().cuts_done == 1; }));
  send_events(5);
  ASSERT_TRUE(run.wait_connected(40));
  EXPECT_EQ(run.progress().reconnects, 20U);
  ASSERT_TRUE(run.wait_delivered(400));
  run.receiver->cut(1);
  send_events(5);
  ASSERT_TRUE(eventually([&] { return run.progress().reconnects == 60; }));
  ASSERT_TRUE(run.wait_delivered(600));
  EXPECT_EQ(run.progress().dropped, 0U);
  expect_clean(run.finish());
}

TEST_P(ReceiverHubTest, ResumesByAQueryParameterToo) {
  run.options.scenario = Scenario::herd;
  run.options.subscribe.resume_by = "lastEventID";
  begin(5);
  ASSERT_TRUE(run.wait_connected(5));
  send_events(1);
  ASSERT_TRUE(run.wait_delivered(5));
  run.receiver->cut(1);
  ASSERT_TRUE(eventually([&] { return run.progress().cuts_done == 1; }));
  send_events(2);
  ASSERT_TRUE(run.wait_delivered(15));
  expect_clean(run.finish());
}

TEST_P(ReceiverHubTest, ChurnLosesNothing) {
  run.options.scenario = Scenario::churn;
  run.options.subscribe.churn_per_s = 400;
  run.options.subscribe.churn_resume = 0.5;
  begin(50);
  ASSERT_TRUE(run.wait_connected(50));
  run.receiver->set_churning(true);
  ASSERT_TRUE(eventually([&] {
    send_events(3);
    return run.progress().left >= 100;
  }));
  run.receiver->set_churning(false);
  ASSERT_TRUE(run.wait_connected(50));
  // Whatever was on its way comes before this one.
  publish("topic=load", run.next_marked());
  ASSERT_TRUE(run.wait_marked(50));
  EXPECT_EQ(run.progress().dropped, 0U);
  expect_clean(run.finish());
}

TEST_P(ReceiverHubTest, AReplayGivesEverything) {
  run.options.scenario = Scenario::replay;
  run.options.publish.history = 30;
  run.options.workload.topic_prefix = "load";
  send_events(30);
  begin(10);
  ASSERT_TRUE(run.wait_delivered(300));
  const CheckTotals totals = run.finish();
  expect_clean(totals);
  EXPECT_EQ(totals.delivered, 300U);
}

TEST_P(ReceiverHubTest, SlowReadersDoNotHoldUpTheOthers) {
  run.options.scenario = Scenario::slow;
  run.options.subscribe.slow_share = 0.2;
  run.options.subscribe.slow_bytes_per_s = 2000;
  begin(10);
  ASSERT_TRUE(run.wait_connected(10));
  send_events(40);
  ASSERT_TRUE(run.wait_delivered(8 * 40));
  EXPECT_LT(run.progress().delivered, 10U * 40U);
  const std::uint64_t before = run.progress().bytes;
  EXPECT_TRUE(eventually([&] { return run.progress().bytes > before + 1000; }));
  expect_clean(run.finish());
}

TEST_P(ReceiverHubTest, TheRampIsPaced) {
  run.connects_per_s = 100;
  const auto start = std::chrono::steady_clock::now();
  begin(30);
  ASSERT_TRUE(run.wait_connected(30));
  // One at once, a burst of at most two, the rest at their time.
  EXPECT_GE(std::chrono::steady_clock::now() - start, std::chrono::milliseconds(250));
}

TEST_P(ReceiverHubTest, StopsWhileConnecting) {
  begin(200);
  run.receiver->stop();
  EXPECT_EQ(run.progress().connected, 0U);
  expect_clean(run.receiver->finish());
}

INSTANTIATE_TEST_SUITE_P(Backends, ReceiverHubTest, testing::ValuesIn(ServerTest::kBackends),
                         ServerTest::backend_name);

}  // namespace
}  // namespace tocsin::load
