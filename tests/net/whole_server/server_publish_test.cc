// Publishing in every form, and what HTTP allows a publisher.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/net/support/server_fixture.h"

namespace tocsin::net {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

class ServerPublish : public ServerTest {};
INSTANTIATE_TEST_SUITE_P(Server, ServerPublish, testing::ValuesIn(ServerTest::kBackends),
                         ServerTest::backend_name);

constexpr const char* kJson = "Content-Type: application/json\r\n";
constexpr const char* kNdjson = "Content-Type: application/x-ndjson\r\n";

TEST_P(ServerPublish, TextIsOneEventAndItsIdComesBack) {
  start();
  TestSubscriber stream = subscribe("/events?stream=a");
  const TestResponse response = connect().request(post("stream=a&type=note", "hello"));
  EXPECT_EQ(response.status, 204);
  EXPECT_EQ(response.header("Access-Control-Allow-Origin"), "*");
  EXPECT_EQ(response.header("Access-Control-Expose-Headers"), "Event-ID");
  stream.wait_events(1);
  EXPECT_EQ(stream.events()[0],
            (TestEvent{.type = "note", .data = "hello", .id = response.header("Event-ID")}));
}

TEST_P(ServerPublish, JsonIsOneObjectOrAnArray) {
  start();
  TestSubscriber stream = subscribe("/events?stream=a&stream=b");
  TestClient client = connect();
  TestResponse response =
      client.request(post("stream=a", R"({"type":"t","data":{"x": [1, 2]}})", kJson));
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.header("Content-Type"), "application/json");
  EXPECT_THAT(response.body, StartsWith(R"({"published":1,"first_id":")"));
  response = client.request(
      post("", R"([{"stream":"a","data":"1"},{"topic":"b","event":"e","id":"mine","data":"2"}])",
           kJson));
  EXPECT_THAT(response.body, HasSubstr(R"("published":2)"));
  EXPECT_THAT(response.body, HasSubstr(R"("last_id":"mine")"));
  EXPECT_THAT(stream.wait_data(3), ElementsAre(R"({"x":[1,2]})", "1", "2"));
  EXPECT_EQ(stream.events()[2].type, "e");
  EXPECT_EQ(stream.events()[2].id, "mine");
}

TEST_P(ServerPublish, NdjsonIsABatch) {
  start();
  TestSubscriber stream = subscribe("/events?stream=a");
  const TestResponse response = connect().request(
      post("stream=a", "{\"data\":\"1\"}\n\n{\"data\":\"2\"}\r\n{\"data\":3}", kNdjson));
  EXPECT_THAT(response.body, HasSubstr(R"("published":3)"));
  EXPECT_THAT(stream.wait_data(3), ElementsAre("1", "2", "3"));
}

TEST_P(ServerPublish, ABatchIsAllOrNothing) {
  start();
  TestSubscriber stream = subscribe("/events?stream=a");
  TestClient client = connect();
  const TestResponse response = client.request(
      post("stream=a", "{\"data\":\"1\"}\n{\"data\":\"2\"}\n{\"data\":\"3\",\"type\":\"a\\nb\"}\n",
           kNdjson));
  EXPECT_EQ(response.status, 400);
  EXPECT_THAT(response.body, HasSubstr(R"("line":3)"));
  EXPECT_THAT(response.body, HasSubstr(R"("field":"type")"));
  EXPECT_EQ(client.request(post("stream=a", "only this")).status, 204);
  EXPECT_THAT(stream.wait_data(1), ElementsAre("only this"));
}

TEST_P(ServerPublish, AnOwnIdComesBackPercentEncoded) {
  start();
  TestSubscriber stream = subscribe();
  TestClient client = connect();
  const auto id_of = [&](const std::string& id) {
    return client.request(post("id=" + id, "x")).header("Event-ID");
  };
  EXPECT_EQ(id_of("order/17:a+b"), "order/17:a b") << "what is printable stays as it is";
  EXPECT_EQ(id_of("gr%C3%BC%C3%9Fe"), "gr%C3%BC%C3%9Fe");
  EXPECT_EQ(id_of("100%25"), "100%");
  EXPECT_EQ(stream.wait_events(3)[1].id, "gr%C3%BC%C3%9Fe") << "the same in the stream";
  EXPECT_EQ(stream.events()[2].id, "100%");
}

TEST_P(ServerPublish, AnOwnIdOfABatchComesBackAsItStandsInTheStream) {
  start();
  TestSubscriber stream = subscribe();
  const TestResponse response = connect().request(
      post("", "[{\"data\":1,\"id\":\"\xC3\xA4\"},{\"data\":2,\"id\":\"50%\"}]", kJson));
  EXPECT_THAT(response.body, HasSubstr(R"("first_id":"%C3%A4","last_id":"50%")"));
  EXPECT_EQ(stream.wait_events(2)[0].id, "%C3%A4");
}

TEST_P(ServerPublish, AnEncodedBodyIsRefused) {
  start();
  TestSubscriber stream = subscribe();
  for (const char* coding :
       {"gzip", "br", "identity, gzip", "gzip\r\nContent-Encoding: identity"}) {
    TestClient client = connect();
    const TestResponse response =
        client.request(post("", "\x1f\x8b", std::string{"Content-Encoding: "} + coding + "\r\n"));
    EXPECT_EQ(response.status, 415) << coding;
    EXPECT_EQ(response.header("Accept-Encoding"), "identity");
    EXPECT_EQ(response.header("Content-Type"), "application/problem+json");
    EXPECT_EQ(client.read_to_end(), "");
  }
  // Before the body is sent, where the client waits for it.
  TestClient waiting = connect();
  waiting.send(
      "POST /publish HTTP/1.1\r\nHost: h\r\nContent-Encoding: gzip\r\nExpect: 100-continue\r\n"
      "Content-Length: 5\r\n\r\n");
  EXPECT_EQ(waiting.response().status, 415);
  EXPECT_EQ(connect().request(post("", "plain", "Content-Encoding: Identity\r\n")).status, 204);
  EXPECT_EQ(connect().request(post("", "none", "Content-Encoding:\r\n")).status, 204);
  EXPECT_THAT(stream.wait_data(2), ElementsAre("plain", "none"));
}

TEST_P(ServerPublish, AFormInPartsIsRefused) {
  start();
  const std::string body =
      "--x\r\nContent-Disposition: form-data; name=\"msg\"\r\n\r\nhi\r\n--x--\r\n";
  const std::string type = "Content-Type: Multipart/form-data; boundary=x\r\n";
  EXPECT_EQ(connect().request(post("", body, type)).status, 415);
  EXPECT_EQ(rejections(Rejection::invalid), 1U);
}

TEST_P(ServerPublish, OnlyUtf8) {
  start();
  for (const char* type : {"text/plain; charset=utf-16", "application/json;charset=\"ISO-8859-1\"",
                           "text/plain; format=flowed; Charset=x"}) {
    const TestResponse response =
        connect().request(post("", "x", std::string("Content-Type: ") + type + "\r\n"));
    EXPECT_EQ(response.status, 415) << type;
    EXPECT_THAT(response.body, HasSubstr("must be UTF-8")) << type;
  }
  for (const char* type : {"text/plain; charset=UTF-8", "text/plain;charset=\"us-ascii\"",
                           "text/plain; charset=", "text/plain;", "text/plain;;x"}) {
    const auto status =
        connect().request(post("", "x", std::string("Content-Type: ") + type + "\r\n")).status;
    EXPECT_EQ(status, 204) << type;
  }
}

// One id for two events: who resumed behind it would get the second again.
TEST_P(ServerPublish, TheQueryNamesTheIdOfOneEvent) {
  start();
  TestSubscriber stream = subscribe("/events?stream=a");
  const TestResponse refused =
      connect().request(post("stream=a&id=mine", R"([{"data":"1"},{"data":"2"}])", kJson));
  EXPECT_EQ(refused.status, 400);
  EXPECT_THAT(refused.body, HasSubstr(R"("field":"id")"));
  EXPECT_EQ(connect().request(post("stream=a&id=mine", R"([{"data":"3"}])", kJson)).status, 200);
  EXPECT_THAT(stream.wait_data(1), ElementsAre("3"));
  EXPECT_EQ(stream.events()[0].id, "mine");
}

TEST_P(ServerPublish, GetPublishesTheMessage) {
  start();
  TestSubscriber stream = subscribe();
  EXPECT_EQ(get("/publish?type=message&msg=hello").status, 204);
  EXPECT_EQ(
      connect()
          .request("POST /publish?msg=posted HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n")
          .status,
      204);
  EXPECT_THAT(stream.wait_data(2), ElementsAre("hello", "posted"));
  const TestResponse empty = get("/publish?type=message");
  EXPECT_EQ(empty.status, 400);
  EXPECT_THAT(empty.body, HasSubstr("msg"));
}

TEST_P(ServerPublish, GetPublishCanBeSwitchedOff) {
  options.get_publish = false;
  start();
  EXPECT_EQ(get("/publish?msg=hello").status, 403);
  EXPECT_EQ(connect().request(post("", "x")).status, 204);
  EXPECT_EQ(rejections(Rejection::forbidden), 1U);
}

TEST_P(ServerPublish, ChunkedBodies) {
  start();
  TestSubscriber stream = subscribe("/events?stream=a");
  TestClient client = connect();
  const TestResponse response = client.request(
      "POST /publish?stream=a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
      "3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n");
  EXPECT_EQ(response.status, 204);
  EXPECT_EQ(client.request(post("stream=a", "next")).status, 204);
  EXPECT_THAT(stream.wait_data(2), ElementsAre("hello", "next"));
}

TEST_P(ServerPublish, WaitsForContinue) {
  start();
  TestClient client = connect();
  client.send(
      "POST /publish HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n");
  EXPECT_THAT(client.read_until("\r\n\r\n"), StartsWith("HTTP/1.1 100 "));
  client.send("hello");
  EXPECT_EQ(client.response().status, 204);
}

TEST_P(ServerPublish, RefusesInsteadOfContinue) {
  start();
  TestClient client = connect();
  client.send(
      "POST /nowhere HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n");
  EXPECT_EQ(client.response().status, 404);
  EXPECT_EQ(client.read_to_end(), "");
}

// Requests that come together are answered in order, however they are cut.
TEST_P(ServerPublish, PipelinedRequests) {
  start();
  TestSubscriber stream = subscribe("/events?stream=a");
  std::string requests;
  for (int i = 0; i < 500; ++i) requests += post("stream=a", "event " + std::to_string(i));
  TestClient client = connect();
  for (std::size_t at = 0; at < requests.size(); at += 7777) client.send(requests.substr(at, 7777));
  for (int i = 0; i < 500; ++i) ASSERT_EQ(client.response().status, 204) << i;
  const auto& events = stream.wait_events(500);
  for (std::size_t i = 0; i < 500; ++i) ASSERT_EQ(events[i].data, "event " + std::to_string(i));
}

// Nothing is read from who does not take his answers, and nothing is lost when he does.
TEST_P(ServerPublish, APublisherThatDoesNotReadItsAnswersIsHeldBack) {
  options.send_buffer = 4096;
  start();
  TestClient client(address(), 4096);
  const std::string request = post("stream=a", "x");
  const auto held_back = [&] {
    return sum(&ShardMetrics::blocked_sends) + sum(&ShardMetrics::short_sends) > 0;
  };
  std::size_t sent = 0;
  while (!held_back()) {
    client.send(request);
    ++sent;
    // Not far ahead of the hub: when it stops reading, sending must still not block.
    ASSERT_TRUE(eventually(
        [&] { return held_back() || sum(&ShardMetrics::events_published) + 50 > sent; }));
  }
  for (std::size_t i = 0; i < sent; ++i) ASSERT_EQ(client.response().status, 204) << i;
  EXPECT_EQ(client.request(request).status, 204);
  EXPECT_EQ(sum(&ShardMetrics::events_published), sent + 1);
}

TEST_P(ServerPublish, LargeBodies) {
  start();
  TestSubscriber stream = subscribe("/events?stream=a");
  const std::string large(limits::kMaxEventData, 'x');
  EXPECT_EQ(connect().request(post("stream=a", large)).status, 204);
  EXPECT_EQ(stream.wait_data(1)[0], large);
  const TestResponse response = connect().request(post("stream=a", large + "x"));
  EXPECT_EQ(response.status, 413);
  EXPECT_THAT(response.body, HasSubstr(R"("field":"body")"));
}

TEST_P(ServerPublish, KeepsOrClosesTheConnectionAsAsked) {
  start();
  TestClient client = connect();
  EXPECT_THAT(client.request(post("", "1")).head, Not(HasSubstr("Connection:")));
  EXPECT_EQ(client.request(post("", "2", "Connection: close\r\n")).header("Connection"), "close");
  EXPECT_EQ(client.read_to_end(), "");

  TestClient old = connect();
  EXPECT_EQ(old.request("GET /healthz HTTP/1.0\r\n\r\n").body, "ok\n");
  EXPECT_EQ(old.read_to_end(), "");

  TestClient kept = connect();
  const std::string ask = "GET /healthz HTTP/1.0\r\nConnection: keep-alive\r\n\r\n";
  EXPECT_EQ(kept.request(ask).header("Connection"), "keep-alive");
  EXPECT_EQ(kept.request(ask).body, "ok\n");
}

TEST_P(ServerPublish, IdleConnectionsAreClosedQuietly) {
  options.keep_alive_s = 1;
  start();
  TestClient client = connect();
  EXPECT_EQ(client.request(post("", "x")).status, 204);
  EXPECT_EQ(client.read_to_end(), "") << "an answer nobody asked for";
}

TEST_P(ServerPublish, PreflightNamesWhatIsAllowed) {
  start();
  TestClient client = connect();
  const auto ask = [&](const std::string& path) {
    return client.request("OPTIONS " + path + " HTTP/1.1\r\nHost: h\r\nOrigin: http://x\r\n\r\n");
  };
  TestResponse response = ask("/publish");
  EXPECT_EQ(response.status, 204);
  EXPECT_EQ(response.header("Access-Control-Allow-Methods"), "GET, POST, OPTIONS");
  EXPECT_EQ(response.header("Access-Control-Allow-Origin"), "*");
  EXPECT_THAT(response.header("Access-Control-Allow-Headers"), HasSubstr("Last-Event-ID"));
  EXPECT_EQ(ask("/events").header("Allow"), "GET, HEAD, OPTIONS");
  EXPECT_EQ(ask("*").status, 204);  // the server as a whole
  EXPECT_EQ(ask("*").header("Allow"), "GET, HEAD, POST, OPTIONS");
}

// A tracing agent adds its fields to every request of the page.
TEST_P(ServerPublish, PreflightAllowsTheFieldsThatAreAskedFor) {
  start();
  TestClient client = connect();
  const auto allowed = [&](const std::string& asked) {
    const TestResponse response = client.request(
        "OPTIONS /events HTTP/1.1\r\nHost: h\r\nOrigin: http://x\r\n"
        "Access-Control-Request-Method: GET\r\nAccess-Control-Request-Headers: " +
        asked + "\r\n\r\n");
    EXPECT_EQ(response.status, 204) << asked;
    EXPECT_EQ(response.header("Vary"), "Access-Control-Request-Headers");
    return response.header("Access-Control-Allow-Headers");
  };
  const std::string always = "Authorization, Cache-Control, Content-Type, "
                             "Idempotency-Key, Last-Event-ID, Publish-Id";
  EXPECT_EQ(allowed("baggage,last-event-id,sentry-trace,traceparent,tracestate,x-requested-with"),
            always + ", baggage, sentry-trace, traceparent, tracestate, x-requested-with");
  EXPECT_EQ(allowed(" a\t, ,b,AUTHORIZATION"), always + ", a, b");
  EXPECT_EQ(allowed("a\r\nAccess-Control-Request-Headers: b"), always + ", a, b");
  // No field's name: nothing of it is repeated.
  for (const char* bad : {"a b", "x-a, \"b\"", "a;b", "x:y", "na\xc3\xafve", "*, (a)"}) {
    EXPECT_EQ(allowed(bad), always) << bad;
  }
  EXPECT_EQ(allowed(std::string(limits::kMaxPreflightNames, 'a')),
            always + ", " + std::string(limits::kMaxPreflightNames, 'a'));
  EXPECT_EQ(allowed(std::string(limits::kMaxPreflightNames + 1, 'a')), always);
}

}  // namespace
}  // namespace tocsin::net
