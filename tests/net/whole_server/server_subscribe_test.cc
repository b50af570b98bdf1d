// Subscribing: what the first bytes are, which topics, how a stream is told from an answer.
#include <chrono>
#include <deque>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "net/http/date_field.h"
#include "tests/net/support/server_fixture.h"

namespace tocsin::net {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

class ServerSubscribe : public ServerTest {
 protected:
  static constexpr std::string_view kAskMuch = "GET /much HTTP/1.1\r\nHost: h\r\n\r\n";
  // /much has an answer that the sockets cannot take.
  void start_with_much() {
    options.send_buffer = 4096;
    options.shards = 1;
    application.routes.push_back(
        {.path = "/much", .handle = [](Server&, const RouteRequest&) -> Answer {
           return Response{.content_type = "text/plain", .body = std::string(1 << 20, 'x')};
         }});
    start();
  }
};
INSTANTIATE_TEST_SUITE_P(Server, ServerSubscribe, testing::ValuesIn(ServerTest::kBackends),
                         ServerTest::backend_name);

TEST_P(ServerSubscribe, TheHeadAndACommentComeAtOnce) {
  start();
  const TestSubscriber stream = subscribe("/events?stream=a");
  const TestResponse& response = stream.response();
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.header("Content-Type"), "text/event-stream");
  EXPECT_THAT(response.header("Cache-Control"), HasSubstr("no-cache"));
  EXPECT_EQ(response.header("X-Accel-Buffering"), "no");
  EXPECT_EQ(response.header("Access-Control-Allow-Origin"), "*");
  EXPECT_THAT(response.head, Not(HasSubstr("Content-Length")));
  EXPECT_THAT(stream.bytes(), StartsWith("\n:"));
  const TestSubscriber resumed = subscribe("/events?stream=a&last_event_id=earliest");
  EXPECT_THAT(resumed.bytes(), StartsWith("\n:"));
  EXPECT_THAT(stream.bytes(), HasSubstr("retry: "));
  EXPECT_THAT(stream.events(), IsEmpty()) << "the greeting is no event";
  EXPECT_THAT(stream.parser().last_event_id(), Not(IsEmpty()))
      << "who is cut off before the first event resumes too";
}

TEST_P(ServerSubscribe, SseIsAnotherNameAndEventsIsTheDefaultStream) {
  start();
  TestSubscriber one = subscribe("/events");
  TestSubscriber two = subscribe("/sse");
  TestSubscriber three = subscribe("/sse?topic=events");
  publish("", "to all three");
  EXPECT_THAT(one.wait_data(1), ElementsAre("to all three"));
  EXPECT_THAT(two.wait_data(1), ElementsAre("to all three"));
  EXPECT_THAT(three.wait_data(1), ElementsAre("to all three"));
}

TEST_P(ServerSubscribe, ReadsSeveralTopicsAndNoOthers) {
  start();
  TestSubscriber stream = subscribe("/events?stream=a&topic=b&stream=a&stream=sp%20ace");
  publish("stream=a", "1");
  publish("stream=c", "never");
  publish("stream=b", "2");
  publish("stream=sp+ace", "3");
  publish("stream=a", "4");
  EXPECT_THAT(stream.wait_data(4), ElementsAre("1", "2", "3", "4"));
}

TEST_P(ServerSubscribe, TellsTypeIdRetryAndEveryLine) {
  start();
  TestSubscriber stream = subscribe("/events?stream=a");
  const std::string id = publish("stream=a&type=tick&retry=1234", "one\ntwo\r\nthree\rfour");
  stream.wait_events(1);
  EXPECT_EQ(stream.events()[0],
            (TestEvent{.type = "tick", .data = "one\ntwo\nthree\nfour", .id = id}));
  EXPECT_EQ(stream.parser().retry_ms(), 1234U);
  publish("stream=a&id=my-own", "x");
  stream.wait_events(2);
  EXPECT_EQ(stream.events()[1], (TestEvent{.type = "message", .data = "x", .id = "my-own"}));
}

TEST_P(ServerSubscribe, RetryIsJittered) {
  options.retry_ms = 10'000;
  start();
  std::set<std::uint32_t> values;
  for (int i = 0; i < 20; ++i) {
    const TestSubscriber stream = subscribe();
    ASSERT_TRUE(stream.parser().retry_ms().has_value());
    EXPECT_GE(*stream.parser().retry_ms(), 5'000U);
    EXPECT_LE(*stream.parser().retry_ms(), 15'000U);
    values.insert(*stream.parser().retry_ms());
  }
  EXPECT_GT(values.size(), 5U);
}

TEST_P(ServerSubscribe, HttpTenGetsTheSameBytes) {
  start();
  TestClient client = connect();
  client.send("GET /events?stream=a HTTP/1.0\r\n\r\n");
  EXPECT_EQ(client.response().status, 200);
  publish("stream=a", "old and good");
  EXPECT_THAT(client.read_until("data: old and good\nid: "), HasSubstr("data: "));
}

TEST_P(ServerSubscribe, HeadAnswersWithoutAStream) {
  start();
  TestClient client = connect();
  client.send("HEAD /events HTTP/1.1\r\nHost: hub\r\n\r\n");
  EXPECT_EQ(client.response(true).header("Content-Type"), "text/event-stream");
  EXPECT_EQ(client.read_to_end(), "");
  EXPECT_EQ(sum(&ShardMetrics::streams_opened), 0U);
}

TEST_P(ServerSubscribe, EveryAnswerHasADate) {
  start();
  TestClient stream = connect();
  stream.send("GET /events HTTP/1.1\r\nHost: hub\r\n\r\n");
  EXPECT_EQ(stream.response().header("Date").size(), proto::kHttpDateSize);
  EXPECT_EQ(get("/healthz").header("Date").size(), proto::kHttpDateSize);
  EXPECT_EQ(get("/nowhere").header("Date").size(), proto::kHttpDateSize);
  TestClient bad = connect();
  bad.send("GET / HTTP/1.1\r\n\r\n");
  const TestResponse refused = bad.response();
  EXPECT_EQ(refused.header("Date").size(), proto::kHttpDateSize);
  EXPECT_THAT(refused.body, HasSubstr("not valid HTTP: Host is missing"));
}

TEST_P(ServerSubscribe, AHeadThatComesInPieces) {
  start();
  TestClient client = connect();
  const std::string request = "GET /events?stream=a HTTP/1.1\r\nHost: hub\r\nX-A: b\r\n\r\n";
  for (const char& byte : request) client.send({&byte, 1});
  EXPECT_EQ(client.response().status, 200);
}

// A subscriber that was a publisher before, on the same connection.
TEST_P(ServerSubscribe, AStreamMayFollowOtherRequests) {
  start();
  TestClient client = connect();
  client.send(post("stream=a", "before") + "GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n" +
              "GET /events?stream=a HTTP/1.1\r\nHost: h\r\n\r\nignored");
  EXPECT_EQ(client.response().status, 204);
  EXPECT_EQ(client.response().body, "ok\n");
  EXPECT_EQ(client.response().status, 200);
  publish("stream=a", "after");
  EXPECT_THAT(client.read_until("data: after\n"), Not(HasSubstr("before")));
}

// A client that asks for much, does not read, and then opens a stream: the answer comes first.
TEST_P(ServerSubscribe, AStreamMayOpenBehindAnAnswerThatBlocks) {
  start_with_much();
  TestClient client(address(), 4096);
  client.send(kAskMuch);
  EXPECT_TRUE(eventually(
      [&] { return sum(&ShardMetrics::blocked_sends) + sum(&ShardMetrics::short_sends) > 0; }));
  client.send("GET /events?stream=a HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_TRUE(eventually([&] { return sum(&ShardMetrics::streams_open) == 1; }));
  EXPECT_EQ(sum(&ShardMetrics::streams_blocked), 1U);
  EXPECT_EQ(client.response().body.size(), 1U << 20);
  EXPECT_EQ(client.response().header("Content-Type"), "text/event-stream");
  publish("stream=a", "here");
  client.read_until("data: here\n");
  EXPECT_EQ(sum(&ShardMetrics::streams_blocked), 0U);
}

// The same, and it never reads: the policy for slow streams holds for it too.
TEST_P(ServerSubscribe, AStreamThatOpensBlockedCanBeSlow) {
  options.slow_seconds = 1;
  start_with_much();
  TestClient client(address(), 4096);
  client.send(kAskMuch);
  EXPECT_TRUE(eventually(
      [&] { return sum(&ShardMetrics::blocked_sends) + sum(&ShardMetrics::short_sends) > 0; }));
  client.send("GET /events?stream=a HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_TRUE(eventually([&] { return sum(&ShardMetrics::slow_disconnects) == 1; }));
}

TEST_P(ServerSubscribe, SilenceIsFilledWithComments) {
  options.heartbeat_s = 1;
  start();
  TestSubscriber quiet = subscribe();
  TestSubscriber also = subscribe();
  const auto before = quiet.parser().comments();
  const auto begin = std::chrono::steady_clock::now();
  quiet.wait_until([&] { return quiet.parser().comments() >= before + 3; });
  // Not sooner than half of the interval after the last bytes (the clock has 100 ms).
  EXPECT_GE(std::chrono::steady_clock::now() - begin, std::chrono::milliseconds(1000));
  also.wait_until([&] { return also.parser().comments() >= before + 3; });
  EXPECT_THAT(quiet.events(), IsEmpty()) << "a comment is no event";
  EXPECT_GE(sum(&ShardMetrics::heartbeats), 6U);
}

TEST_P(ServerSubscribe, OldStreamsAreEnded) {
  options.max_stream_age_s = 1;
  start();
  TestSubscriber stream = subscribe();
  stream.wait_end();
}

TEST_P(ServerSubscribe, StaysWithTheTopicsThatAreDeclared) {
  options.auto_topics = false;
  options.topics = {"known"};
  start();
  TestSubscriber stream = subscribe("/events?stream=known");
  const TestResponse unknown = get("/events?stream=other");
  EXPECT_EQ(unknown.status, 404);
  EXPECT_EQ(unknown.header("Content-Type"), "application/problem+json");
  EXPECT_EQ(connect().request(post("stream=other", "x")).status, 404);
  publish("stream=known", "x");
  EXPECT_THAT(stream.wait_data(1), ElementsAre("x"));
  EXPECT_EQ(server().state().admission.streams(), 1U) << "a refused stream is not counted";
}

TEST_P(ServerSubscribe, TopicsAreBounded) {
  options.max_topics = 2;
  start();
  TestSubscriber one = subscribe("/events?stream=a");
  publish("stream=b", "x");
  std::set<int> retry_afters;
  for (int i = 0; i < 20; ++i) {
    for (const TestResponse& response :
         {get("/events?stream=c"), connect().request(post("stream=c", "x"))}) {
      EXPECT_EQ(response.status, 503);
      EXPECT_EQ(response.header("Content-Type"), "application/problem+json");
      EXPECT_EQ(response.header("Access-Control-Allow-Origin"), "*");
      EXPECT_FALSE(response.header("Date").empty());
      retry_afters.insert(std::atoi(response.header("Retry-After").c_str()));
    }
  }
  EXPECT_GE(*retry_afters.begin(), 15);
  EXPECT_LE(*retry_afters.rbegin(), 45);
  EXPECT_GT(retry_afters.size(), 5U) << "spread, so that they do not come back together";
  publish("stream=a", "x");
  EXPECT_THAT(one.wait_data(1), ElementsAre("x"));
  EXPECT_EQ(server().state().admission.streams(), 1U);
}

TEST_P(ServerSubscribe, ManySubscribersOnAllShardsGetEveryEvent) {
  start();
  std::deque<TestSubscriber> streams;
  for (int i = 0; i < 60; ++i) streams.emplace_back(address(), "/events?stream=a");
  for (int i = 0; i < 50; ++i) publish("stream=a", std::to_string(i));
  for (TestSubscriber& stream : streams) {
    const auto& events = stream.wait_events(50);
    for (std::size_t i = 0; i < 50; ++i) EXPECT_EQ(events[i].data, std::to_string(i));
  }
  for (const auto& shard : server().state().metrics) EXPECT_GT(shard->deliveries.get(), 0U);
}

}  // namespace
}  // namespace tocsin::net
