// Receivers against scripted servers, on both kinds of poller.
#include "tools/load/subscribers/receiver.h"

#include <cerrno>
#include <future>
#include <memory>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/net/support/scripted_server.h"
#include "tests/tools/load/subscribers/receiver_bench.h"

namespace tocsin::load {
namespace {

using net::ScriptedServer;

// A poller whose kernel reports the end of every connection once more, when the slot has the next.
class LatePoller final : public Poller {
 public:
  explicit LatePoller(std::unique_ptr<Poller> real) : real_(std::move(real)) {}
  void watch_connect(PollToken token, int fd) override { real_->watch_connect(token, fd); }
  void watch(PollToken token, int fd) override { real_->watch(token, fd); }
  void forget(PollToken token, int fd) override {
    real_->forget(token, fd);
    forgotten_.push_back(token);
  }
  void flush() override { real_->flush(); }
  void wait(int timeout_ms, PollHandler& handler) override {
    real_->wait(timeout_ms, handler);
    for (const PollToken token : std::vector(forgotten_)) {
      if (handler.fd_of(token) >= 0) handler.on_end(token, ECONNRESET);
    }
  }
  [[nodiscard]] std::string_view name() const override { return real_->name(); }

 private:
  std::unique_ptr<Poller> real_;
  std::vector<PollToken> forgotten_;
};

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
  std::promise<std::string> request;
  ScriptedServer server({[&](ScriptedServer::Connection& c) {
    request.set_value(c.read_request());
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
  EXPECT_EQ(request.get_future().get(),
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

// A server that is restarted: dropped, refused at the first return, then told of a gap.
TEST_P(ReceiverTest, OverADeployAStreamIsRefusedTriesAgainAndIsTold) {
  ScriptedServer server(
      {[&](ScriptedServer::Connection& c) {
         (void)c.read_request();
         c.send(std::string(kStream) + "\r\n" + run.frame());
       },
       [&](ScriptedServer::Connection& c) {
         (void)c.read_request();
         c.send("HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n");
       },
       [&](ScriptedServer::Connection& c) {
         EXPECT_THAT(c.read_request(), testing::HasSubstr("\r\nLast-Event-ID: 1\r\n"));
         (void)run.next();
         (void)run.next();
         c.send(std::string(kStream) + "\r\nid: x\nevent: gap\ndata: {}\n\n" + run.frame());
         c.wait_for_close();
       }});
  run.options.scenario = Scenario::deploy;
  run.start(server.url(), 1);
  ASSERT_TRUE(run.wait_delivered(2));
  const CheckTotals totals = run.finish();
  EXPECT_EQ(totals.lost, 0U);
  EXPECT_EQ(totals.told, 2U);
  EXPECT_EQ(totals.away, 0U);
  EXPECT_EQ(run.progress().dropped, 1U);
  EXPECT_EQ(run.progress().refused_meanwhile, 1U);
  EXPECT_EQ(run.progress().refused, 1U);
  EXPECT_EQ(run.progress().away, 0U);
  EXPECT_EQ(run.progress().outage.count(), 1U);
  EXPECT_GE(run.progress().outage.max_ns(), 1'900'000'000U);  // it tried twice, a second apart
}

TEST_P(ReceiverTest, OverADeployAStreamThatIsNotBackAtTheEndHasLostNothingYet) {
  ScriptedServer server({[&](ScriptedServer::Connection& c) {
    (void)c.read_request();
    c.send(std::string(kStream) + "\r\n" + run.frame());
  }});
  run.options.scenario = Scenario::deploy;
  run.start(server.url(), 1);
  ASSERT_TRUE(eventually([&] { return run.progress().refused_meanwhile > 0; }));
  (void)run.next();
  (void)run.next();
  const CheckTotals totals = run.finish();
  EXPECT_EQ(totals.lost, 0U);
  EXPECT_EQ(totals.away, 2U);
  EXPECT_EQ(run.progress().away, 1U);
  EXPECT_EQ(run.progress().outage.count(), 1U);
}

TEST_P(ReceiverTest, AReportOfAnOldConnectionIsNotTakenForTheNewOnes) {
  const auto script = [&](ScriptedServer::Connection& c) {
    (void)c.read_request();
    c.send(std::string(kStream) + "\r\n" + run.frame());
    c.wait_for_close();
  };
  ScriptedServer server({script, script});
  run.options.scenario = Scenario::herd;
  run.make_poller = [](IoKind kind, int wake_fd) {
    auto poller = make_poller(kind, wake_fd);
    if (poller) *poller = std::make_unique<LatePoller>(std::move(*poller));
    return poller;
  };
  run.start(server.url(), 1);
  ASSERT_TRUE(run.wait_delivered(1));
  run.receiver->cut(1);
  ASSERT_TRUE(run.wait_delivered(2));
  EXPECT_EQ(run.progress().reconnects, 1U);
  EXPECT_EQ(run.progress().dropped, 0U);
  EXPECT_EQ(run.progress().refused, 0U);
  expect_clean(run.finish());
}

TEST_P(ReceiverTest, WhatAStreamLackedIsForgottenWhenItLeaves) {
  const auto frame = [&](std::uint64_t number) {
    std::string data(kBytes, '\0');
    run.format.write({.lane = 0, .number = number, .due_ns = 1}, kBytes, data.data());
    return "id: " + std::to_string(number) + "\ndata: " + data + "\n\n";
  };
  // It lacks event 1 and leaves. Who comes then, once or several times, gets that one late.
  std::vector<ScriptedServer::Script> scripts(50, [&](ScriptedServer::Connection& c) {
    EXPECT_EQ(c.read_request().find("Last-Event-ID"), std::string::npos);
    c.send(std::string(kStream) + "\r\n" + frame(3) + frame(1));
    c.wait_for_close();
  });
  scripts[0] = [&](ScriptedServer::Connection& c) {
    (void)c.read_request();
    c.send(std::string(kStream) + "\r\n" + frame(0) + frame(2));
    c.wait_for_close();
  };
  ScriptedServer server(scripts);
  run.options.scenario = Scenario::churn;
  run.options.subscribe.churn_per_s = 20;
  run.start(server.url(), 1);
  ASSERT_TRUE(run.wait_delivered(2));
  run.published->submitted[0] = 4;
  run.receiver->set_churning(true);
  ASSERT_TRUE(run.wait_delivered(3));
  run.receiver->set_churning(false);
  ASSERT_TRUE(run.wait_connected(1));
  const CheckTotals totals = run.finish();
  EXPECT_EQ(totals.lost, 1U);  // what was lost stays lost
  EXPECT_EQ(totals.reordered, 0U);
  EXPECT_GE(totals.duplicated, 1U);
}

TEST_P(ReceiverTest, ADroppedSlowReaderComesBackWithItsId) {
  run.options.scenario = Scenario::slow;
  run.options.subscribe.slow_share = 1;
  std::promise<std::string> second;
  ScriptedServer server({[&](ScriptedServer::Connection& c) {
                           (void)c.read_request();
                           c.send(std::string(kStream) + "\r\nid: seven\n\n");
                         },
                         [&](ScriptedServer::Connection& c) {
                           second.set_value(c.read_request());
                           c.send(std::string(kStream) + "\r\n");
                           c.wait_for_close();
                         }});
  run.start(server.url(), 1);
  ASSERT_TRUE(eventually([&] { return server.connections() == 2; }));
  ASSERT_TRUE(run.wait_connected(1));
  EXPECT_EQ(run.progress().dropped, 1U);
  expect_clean(run.finish());
  EXPECT_THAT(second.get_future().get(), testing::HasSubstr("\r\nLast-Event-ID: seven\r\n"));
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
