// Receivers against the real hub and against scripted servers, on both kinds of poller.
#include "tools/load/receiver.h"

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "net/url.h"
#include "tests/net/scripted_server.h"
#include "tests/net/server_fixture.h"

namespace tocsin::load {
namespace {

constexpr std::uint32_t kRun = 77;
constexpr std::size_t kBytes = 200;

using net::eventually;
using net::ScriptedServer;
using net::ServerTest;

// The receiving half of a run: what a coordinator would hold.
struct LoadRun {
  void start(const std::string& url, std::uint32_t count) {
    const auto parsed = net::parse_url(url);
    ASSERT_TRUE(parsed) << url;
    options.subscribe.url = *parsed;
    options.subscribe.count = count;
    published = std::make_unique<PublishProgress>(options.workload.lanes(1));
    audience = std::make_unique<Audience>(options.workload.topics);
    receiver = std::make_unique<Receiver>(ReceiverSetup{.options = &options,
                                                        .format = &format,
                                                        .published = published.get(),
                                                        .audience = audience.get(),
                                                        .first_index = 0,
                                                        .count = count,
                                                        .connects_per_s = connects_per_s});
    receiver->connect_up_to(count);
  }
  // The next event's data, counted as submitted.
  std::string next(std::uint32_t lane = 0, std::uint64_t due_ns = 1) {
    std::string data(kBytes, '\0');
    const std::uint64_t number = published->submitted[lane]++;
    ++published->events;
    format.write({.lane = lane, .number = number, .due_ns = due_ns}, kBytes, data.data());
    return data;
  }
  std::string frame() {
    const std::string data = next();
    return "id: " + std::to_string(published->submitted[0]) + "\ndata: " + data + "\n\n";
  }
  [[nodiscard]] const ReceiverProgress& progress() const { return receiver->progress(); }
  bool wait_connected(std::uint32_t n) {
    return eventually([&] { return progress().connected == n; });
  }
  bool wait_delivered(std::uint64_t n) {
    return eventually([&] { return progress().delivered >= n; });
  }
  // An event that is due in the future has no latency, which makes it countable among the others.
  std::string next_marked() { return next(0, ~0ULL); }
  bool wait_marked(std::uint64_t n) {
    return eventually([&] {
      std::uint64_t marked = 0;
      progress().latency.for_each([&](std::uint64_t bound_ns, std::uint64_t count) {
        if (bound_ns == 0) marked += count;
      });
      return marked == n;
    });
  }
  CheckTotals finish() {
    receiver->stop();
    return receiver->finish();
  }

  LoadOptions options;
  PayloadFormat format{kRun, kBytes};
  double connects_per_s = 0;
  std::unique_ptr<PublishProgress> published;
  std::unique_ptr<Audience> audience;
  std::unique_ptr<Receiver> receiver;
};

void expect_clean(const CheckTotals& t) {
  EXPECT_EQ(t.lost, 0U);
  EXPECT_EQ(t.told, 0U);
  EXPECT_EQ(t.duplicated, 0U);
  EXPECT_EQ(t.reordered, 0U);
  EXPECT_EQ(t.corrupted, 0U) << t.sample;
}

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
  run.published = std::make_unique<PublishProgress>(1);
  std::vector<std::string> history;
  for (int i = 0; i < 30; ++i) publish("topic=load", run.next());
  begin(10);
  for (int i = 0; i < 30; ++i) (void)run.next();  // begin() made another count
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

class ReceiverTest : public testing::TestWithParam<IoKind> {
 protected:
  ReceiverTest() { run.options.subscribe.io = GetParam(); }

  static constexpr std::string_view kStream =
      "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\n";
  // Plays one answer; returns the refusal.
  std::string refusal(const std::string& answer) {
    ScriptedServer server({[&](ScriptedServer::Connection& c) {
      (void)c.read_request();
      c.send(answer);
      c.wait_for_close();
    }});
    run.start(server.url(), 1);
    EXPECT_TRUE(eventually([&] { return run.progress().refused == 1; }));
    run.receiver->stop();
    return run.receiver->refusals().first;
  }

  LoadRun run;
};

TEST_P(ReceiverTest, ReadsChunksCutAnywhere) {
  std::string request;
  ScriptedServer server({[&](ScriptedServer::Connection& c) {
    request = c.read_request();
    std::string body = ": hi\n\n" + run.frame();
    body += run.frame();
    std::string wire = std::string(kStream) + "Transfer-Encoding: chunked\r\n\r\n";
    for (; !body.empty(); body.erase(0, 7)) {
      const std::string piece = body.substr(0, 7);
      wire += std::to_string(piece.size()) + "\r\n" + piece + "\r\n";
    }
    c.send_by_bytes(wire + "0\r\n\r\n");
    c.wait_for_close();
  }});
  run.options.subscribe.headers = {{"X-Topic", "{topic}"}};
  run.start(server.url("/sub/{topic}?a=b"), 1);
  ASSERT_TRUE(eventually([&] { return run.progress().dropped == 1; }));
  const CheckTotals totals = run.finish();
  expect_clean(totals);
  EXPECT_EQ(totals.delivered, 2U);
  EXPECT_EQ(totals.comments, 1U);
  EXPECT_EQ(request,
            "GET /sub/load?a=b HTTP/1.1\r\nHost: 127.0.0.1:" + std::to_string(server.port()) +
                "\r\nAccept: text/event-stream\r\nX-Topic: load\r\n\r\n");
}

TEST_P(ReceiverTest, ADroppedStreamStaysEndedAndMissesTheRest) {
  ScriptedServer server({[&](ScriptedServer::Connection& c) {
    (void)c.read_request();
    c.send(std::string(kStream) + "\r\n" + run.frame());
    c.send(run.frame().substr(0, 50));
  }});
  run.start(server.url(), 1);
  ASSERT_TRUE(eventually([&] { return run.progress().dropped == 1; }));
  (void)run.next();
  EXPECT_EQ(run.progress().connected, 0U);
  const CheckTotals totals = run.finish();
  EXPECT_EQ(totals.delivered, 1U);
  EXPECT_EQ(totals.lost, 2U);
  EXPECT_EQ(server.connections(), 1);
}

TEST_P(ReceiverTest, ADroppedSlowReaderComesBackWithItsId) {
  run.options.scenario = Scenario::slow;
  run.options.subscribe.slow_share = 1;
  std::string second;
  ScriptedServer server({[&](ScriptedServer::Connection& c) {
                           (void)c.read_request();
                           c.send(std::string(kStream) + "\r\nid: seven\n\n");
                         },
                         [&](ScriptedServer::Connection& c) {
                           second = c.read_request();
                           c.send(std::string(kStream) + "\r\n");
                           c.wait_for_close();
                         }});
  run.start(server.url(), 1);
  ASSERT_TRUE(eventually([&] { return server.connections() == 2; }));
  ASSERT_TRUE(run.wait_connected(1));
  EXPECT_EQ(run.progress().dropped, 1U);
  expect_clean(run.finish());
  EXPECT_NE(second.find("\r\nLast-Event-ID: seven\r\n"), std::string::npos) << second;
}

TEST_P(ReceiverTest, SaysWhyAServerIsNoStream) {
  EXPECT_EQ(refusal("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 9\r\n\r\ntoo many\n"),
            "HTTP/1.1 503 Service Unavailable: too many");
  EXPECT_EQ(refusal("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<p>"),
            "HTTP/1.1 200 OK: the type is \"text/html\", not text/event-stream");
  EXPECT_EQ(refusal(std::string(kStream) + "Content-Encoding: gzip\r\n\r\n"),
            "HTTP/1.1 200 OK: the stream is encoded (gzip), which was not asked for");
  EXPECT_EQ(refusal("HTTP/1.1 302 Found\r\nLocation: /x\r\n\r\n"),
            "HTTP/1.1 302 Found: a redirect to \"/x\", which is not followed");
  EXPECT_NE(refusal("SSH-2.0-OpenSSH\r\n").find("SSH-2.0-OpenSSH"), std::string::npos);
}

TEST_P(ReceiverTest, SaysThatNobodyListens) {
  std::string url;
  {
    url = ScriptedServer({}).url();
  }
  run.start(url, 3);
  ASSERT_TRUE(eventually([&] { return run.progress().refused == 3; }));
  (void)run.next();
  EXPECT_EQ(run.finish().lost, 0U);  // nothing is expected of what was never accepted
  EXPECT_EQ(run.receiver->refusals().first, "connect: Connection refused");
}

TEST_P(ReceiverTest, SaysThatAHostHasNoAddress) {
  run.start("http://no-such-host.invalid/", 2);
  ASSERT_TRUE(eventually([&] { return run.progress().refused == 2; }));
  run.receiver->stop();
  EXPECT_EQ(run.receiver->refusals().first.substr(0, 21), "no-such-host.invalid:");
}

TEST_P(ReceiverTest, ConnectsFromTheGivenAddresses) {
  ScriptedServer server({[](ScriptedServer::Connection& c) {
    (void)c.read_request();
    c.send(std::string(kStream) + "\r\n");
    c.wait_for_close();
  }});
  run.options.subscribe.sources = *SourceAddresses::parse("127.9.8.7");
  run.start(server.url(), 1);
  ASSERT_TRUE(run.wait_connected(1));
  run.receiver->stop();
  EXPECT_EQ(run.receiver->refusals().first, "");
  run.options.subscribe.sources = *SourceAddresses::parse("192.0.2.1");  // not this machine's
  run.start(server.url(), 1);
  ASSERT_TRUE(eventually([&] { return run.progress().refused == 1; }));
  run.receiver->stop();
  EXPECT_EQ(run.receiver->refusals().first,
            "bind to a source address: Cannot assign requested address");
}

INSTANTIATE_TEST_SUITE_P(Kinds, ReceiverTest, testing::Values(IoKind::automatic, IoKind::epoll),
                         [](const auto& kind) {
                           return kind.param == IoKind::epoll ? "epoll" : "automatic";
                         });

}  // namespace
}  // namespace tocsin::load
