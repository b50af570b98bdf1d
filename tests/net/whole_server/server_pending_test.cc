// Answers that come later: a route's, and those of publishes that wait for the shards.
#include <poll.h>

#include <atomic>
#include <functional>
#include <future>
#include <optional>
#include <semaphore>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/net/support/server_fixture.h"
#include "tests/net/support/test_routes.h"

namespace tocsin::net {
namespace {

using Reason = PublishFailure::Reason;

// --- routes

class ServerLater : public ServerTest {
 protected:
  ServerLater() { application.routes = later_.routes(); }
  // A connection that has asked.
  [[nodiscard]] TestClient ask() const {
    TestClient client = connect();
    client.send(kGet);
    return client;
  }
  Later next() { return later_.next(); }
  static Response text(std::string body) { return text_response(std::move(body)); }

  static constexpr std::string_view kGet = "GET /later HTTP/1.1\r\nHost: h\r\n\r\n";

 private:
  LaterRoute later_;
};
INSTANTIATE_TEST_SUITE_P(Server, ServerLater, testing::ValuesIn(ServerTest::kBackends),
                         ServerTest::backend_name);

TEST_P(ServerLater, ARouteIsAnsweredFromAnotherThread) {
  start();
  TestClient client = connect();
  for (const char* body : {"one", "two"}) {
    client.send(kGet);
    std::jthread([later = next(), body] { EXPECT_TRUE(later.answer(text(body))); });
    const TestResponse response = client.response();
    EXPECT_EQ(response.status, 200);
    EXPECT_EQ(response.body, body);
  }
  client.send("HEAD /later HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_TRUE(next().answer(text("four")));
  EXPECT_EQ(client.response(true).header("Content-Length"), "4");
}

// What is pipelined is handled at once and answered in its order, whichever answer is there first.
TEST_P(ServerLater, AnswersLeaveInTheOrderOfTheRequests) {
  start();
  TestSubscriber reader = subscribe("/events?stream=news");
  TestClient client = connect();
  client.send(std::string(kGet) + post("stream=news", "x") +
              "POST /later HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc"
              "GET /nothing HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_THAT(reader.wait_data(1), testing::ElementsAre("x"));
  const Later first = next();
  EXPECT_TRUE(next().answer(text("second")));
  client.send("GET /events?stream=news HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_TRUE(first.answer(text("first")));
  EXPECT_EQ(client.response().body, "first");
  EXPECT_EQ(client.response().status, 204);
  EXPECT_EQ(client.response().body, "second");
  EXPECT_EQ(client.response().status, 404);
  EXPECT_NE(client.read_until("\r\n\r\n").find("text/event-stream"), std::string::npos);
}

TEST_P(ServerLater, AnAnswerIsGivenOnce) {
  start();
  TestClient client = ask();
  const Later later = next();
  const Later copy = later;  // NOLINT(performance-unnecessary-copy-initialization)
  EXPECT_TRUE(later.answer(text("once")));
  EXPECT_FALSE(copy.answer(text("twice")));
  EXPECT_EQ(client.response().body, "once");
  EXPECT_EQ(client.request("GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n").status, 200);
}

TEST_P(ServerLater, WhoeverGivesUpAnswers500) {
  start();
  TestClient client = ask();
  {
    const Later dropped = next();
  }
  EXPECT_EQ(client.response().status, 500);
  client.send(kGet);
  EXPECT_TRUE(next().answer({.status = 99}));  // cannot be sent as it is
  EXPECT_EQ(client.response().status, 500);
  EXPECT_EQ(rejections(Rejection::failed), 2U);
}

TEST_P(ServerLater, AnAnswerToWhoHasLeftIsDropped) {
  start();
  for (const bool closes : {false, true}) {
    TestClient client = connect();
    client.send(std::string("GET /later HTTP/1.1\r\nHost: h\r\n") +
                (closes ? "Connection: close\r\n" : "") + "\r\n");
    const Later later = next();
    client.reset();
    EXPECT_TRUE(eventually([&] { return sum(&ShardMetrics::requests_open) == 0; }));
    EXPECT_TRUE(later.answer(text("nobody")));
  }
  EXPECT_TRUE(eventually([&] { return sum(&ShardMetrics::stale_answers) == 2; }));
}

// The last answer of a connection; and of a client that has shut down its side.
TEST_P(ServerLater, AConnectionEndsBehindItsAnswer) {
  start();
  TestClient closing = connect();
  closing.send("GET /later HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
  EXPECT_TRUE(next().answer(text("last")));
  EXPECT_NE(closing.read_to_end().find("\r\n\r\nlast"), std::string::npos);
  TestClient half = ask();
  const Later later = next();
  half.half_close();
  EXPECT_TRUE(later.answer(text("half")));
  EXPECT_NE(half.read_to_end().find("\r\n\r\nhalf"), std::string::npos);
}

TEST_P(ServerLater, ADrainWaitsForAnswers) {
  options.drain_timeout_s = 60;
  start();
  TestClient client = ask();
  const Later later = next();
  server().drain();
  EXPECT_TRUE(eventually([&] { return sum(&ShardMetrics::requests_open) == 1; }));
  EXPECT_TRUE(later.answer(text("in time")));
  EXPECT_EQ(client.response().body, "in time");
}

TEST_P(ServerLater, ADrainDoesNotWaitForEver) {
  options.drain_timeout_s = 0;
  start();
  TestClient client = ask();
  const Later later = next();
  server().drain();
  EXPECT_EQ(client.response().status, 503);
  stop();
  EXPECT_TRUE(later.answer(text("the hub is gone")));
}

// --- publishes

// Publishers have to wait, as one shard stands still with a reader of topic `news`.
class ServerHeldUp : public ServerTest {
 protected:
  ServerHeldUp() {
    application.routes.push_back(
        {.path = "/hold", .handle = [this](Server&, const RouteRequest&) -> Answer {
           return StreamResponse{.topics = {"news"}, .on_open = [this](const StreamWriter&) {
                                   held_.release();
                                   go_on_.acquire();
                                 }};
         }});
  }
  // Starts the server and has publishers wait from here on, until release().
  void hold_up() {
    start();
    holder_.emplace(connect());
    holder_->send("GET /hold HTTP/1.1\r\nHost: h\r\n\r\n");
    held_.acquire();
    const std::string large(1'000'000, 'x');
    for (;;) {
      const auto published = server().try_publish({.topic = "news", .data = large});
      if (published) continue;
      ASSERT_EQ(published.error().reason, Reason::busy);
      return;
    }
  }
  void release() { go_on_.release(); }
  // A connection that is served.
  TestClient connect_beside() {
    std::vector<TestClient> clients;
    std::vector<pollfd> polled;
    for (int i = 0; i < 64; ++i) {
      clients.push_back(connect());
      clients.back().send("GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n");
      polled.push_back({.fd = clients.back().fd(), .events = POLLIN, .revents = 0});
    }
    EXPECT_GT(::poll(polled.data(), polled.size(), 60'000), 0);
    for (std::size_t i = 0; i < polled.size(); ++i) {
      if (polled[i].revents == 0) continue;
      EXPECT_EQ(clients[i].response().status, 200);
      return std::move(clients[i]);
    }
    throw std::runtime_error("no shard serves");
  }

 private:
  std::binary_semaphore held_{0};
  std::binary_semaphore go_on_{0};
  std::optional<TestClient> holder_;
};
INSTANTIATE_TEST_SUITE_P(Server, ServerHeldUp, testing::ValuesIn(ServerTest::kBackends),
                         ServerTest::backend_name);

TEST_P(ServerHeldUp, PublishesWaitForAShardAndAreAnsweredInOrder) {
  hold_up();
  TestClient client = connect_beside();
  client.send(post("stream=a", "1") + "GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n" +
              post("stream=a", "2") + post("stream=a&id=earliest", "refused") +
              post("stream=a", "3"));
  EXPECT_TRUE(eventually([&] { return sum(&ShardMetrics::publish_waits) == 4; }));
  EXPECT_TRUE(client.unread().empty());
  std::future<std::string> own = std::async(std::launch::async, [this] {
    return server().publish({.topic = "a", .data = "4"}).value().first_id;
  });
  release();
  EXPECT_EQ(client.response().status, 204);
  EXPECT_EQ(client.response().status, 200);
  EXPECT_EQ(client.response().status, 204);
  EXPECT_EQ(client.response().status, 400);
  EXPECT_EQ(client.response().status, 204);
  EXPECT_NE(own.get(), "");
  TestSubscriber reader = subscribe("/events?stream=a&last_event_id=earliest");
  std::vector<std::string> data = reader.wait_data(4);
  std::erase(data, "4");  // its own order is none
  EXPECT_THAT(data, testing::ElementsAre("1", "2", "3"));
}

TEST_P(ServerHeldUp, APublishOfWhoHasLeftIsDoneAndNobodyWaits) {
  hold_up();
  TestClient client = connect_beside();
  client.send(post("stream=a", "left"));
  EXPECT_TRUE(eventually([&] { return sum(&ShardMetrics::publish_waits) == 1; }));
  client.reset();
  release();
  TestSubscriber reader = subscribe("/events?stream=a&last_event_id=earliest");
  EXPECT_THAT(reader.wait_data(1), testing::ElementsAre("left"));
  EXPECT_TRUE(eventually([&] { return sum(&ShardMetrics::stale_answers) == 1; }));
}

TEST_P(ServerHeldUp, AStopEndsWhoWaits) {
  hold_up();
  std::promise<void> begins;
  std::future<Reason> own = std::async(std::launch::async, [&] {
    begins.set_value();
    return server().publish({.topic = "a", .data = "never"}).error().reason;
  });
  begins.get_future().wait();
  server().stop();
  EXPECT_EQ(own.get(), Reason::closed);
  release();
}

}  // namespace
}  // namespace tocsin::net
