// The parameters of /events and /publish, and errors that speak of what was written.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/net/support/server_fixture.h"

namespace tocsin::net {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class ServerParameters : public ServerTest {};
INSTANTIATE_TEST_SUITE_P(Server, ServerParameters, testing::ValuesIn(ServerTest::kBackends),
                         ServerTest::backend_name);

constexpr const char* kJson = "Content-Type: application/json\r\n";

TEST_P(ServerParameters, AnIntervalWithinBounds) {
  options.heartbeat_s = 0;
  start();
  for (const std::string value : {"", "0", "0s", "off", "-1s", "500ms", "1500ms", "121s", "3m",
                                  "4 s", "4s&heartbeat=4s", "99999999999999999999"}) {
    const TestResponse response =
        get("/events?stream=a&heartbeat=" + (value == "4 s" ? "4+s" : value));
    EXPECT_EQ(response.status, 400) << value;
    EXPECT_THAT(response.body, HasSubstr(R"("field":"heartbeat")")) << value;
  }
  EXPECT_EQ(connect().request(post("heartbeat=4s", "x")).status, 400) << "it is no stream";
  for (const std::string value : {"2m", "120", "1000ms"}) {
    const TestSubscriber stream = subscribe("/sse?stream=a&heartbeat=" + value);
    EXPECT_EQ(stream.response().status, 200) << value;
  }
  TestSubscriber stream = subscribe("/events?stream=a&heartbeat=1s");
  stream.wait_until([&] { return stream.parser().comments() >= 3; });  // and the greeting's
}

// An event has one topic, one type, one of each: nothing is dropped silently. And errors speak of
// the parameter that was written, under the name that it was given.
TEST_P(ServerParameters, EveryParameterOnceAndNoEmptyTopic) {
  start();
  TestSubscriber stream = subscribe("/events?stream=a&stream=b&stream=events");
  TestClient client = connect();
  const auto refused = [&](const std::string& query, const std::string& field,
                           const std::string& message) {
    const TestResponse response = client.request(post(query, "x"));
    EXPECT_EQ(response.status, 400) << query;
    EXPECT_THAT(response.body, HasSubstr("\"field\":\"" + field + '"')) << query;
    EXPECT_THAT(response.body, HasSubstr("\"detail\":\"" + message)) << query;
  };
  refused("stream=", "stream", "is empty");
  refused("topic=", "topic", "is empty");
  refused("stream=a&stream=b", "stream", "is given twice\"");
  refused("stream=a&topic=b", "topic", "is given twice; stream is another name for it");
  refused("topic=a&topic=a", "topic", "is given twice");
  refused("stream=&stream=a", "stream", "is given twice");
  refused("type=a&event=b", "event", "is given twice; type is");
  refused("stream=a%0Ab", "stream", "has a control character");
  refused("topic=a%0Ab", "topic", "has a control character");
  refused("event=a%0Ab", "event", "has a control character");
  refused("type=gap", "type", "is the hub's own");
  refused("id=a&id=b", "id", "is given twice");
  refused("retry=1&retry=2", "retry", "is given twice");
  refused("retry=1s", "retry", "must be digits");
  refused("envelope=yes", "envelope", "must be true or false");
  for (const std::string word : {"1", "0", "true", "false"}) {
    EXPECT_EQ(client.request(post("stream=other&envelope=" + word, "x")).status, 204) << word;
  }
  EXPECT_EQ(get("/publish?msg=a&msg=b").status, 400);
  EXPECT_EQ(get("/publish?stream=&msg=a").status, 400);
  EXPECT_EQ(client.request(post("stream=a", R"({"data":1})", kJson)).status, 200);
  EXPECT_EQ(client.request(post("stream=a&topic=b", R"({"data":2})", kJson)).status, 400);
  EXPECT_THAT(stream.wait_data(1), ElementsAre("1"));
  // The reader's side says the same of the same.
  for (const std::string field : {"stream", "topic"}) {
    for (const std::string value : {"", "%0A"}) {
      const TestResponse response = get("/events?stream=a&" + field + '=' + value);
      EXPECT_EQ(response.status, 400);
      EXPECT_THAT(response.body, HasSubstr("\"field\":\"" + field + '"'));
    }
  }
}

// What was not given is called by the name of the place where it is missing.
TEST_P(ServerParameters, NothingToPublishIsSaidOfWhatWasSent) {
  start();
  TestClient client = connect();
  const auto expect = [](const TestResponse& response, const std::string& field,
                         const std::string& message) {
    EXPECT_EQ(response.status, 400);
    EXPECT_THAT(response.body, HasSubstr("\"field\":\"" + field + '"'));
    EXPECT_THAT(response.body, HasSubstr(message));
  };
  expect(client.request(post("type=message", "")), "body", "is empty: text or msg required");
  expect(client.request(post("", " \r\n")), "body", "is empty");
  expect(client.request(post("msg=", "")), "msg", "msg required");
  expect(client.request(post("msg=+", " ")), "msg", "msg required");
  expect(get("/publish?type=message"), "msg", "msg required");
  expect(get("/publish?msg=%FF"), "query", "UTF-8");
  expect(client.request(post("", "\xff")), "body", "is not valid UTF-8");
  expect(client.request(post("", "", kJson)), "body", "is empty");
  expect(client.request(post("", R"({"type":"refresh"})", kJson)), "data", "is missing");
  EXPECT_EQ(client.request(post("", R"({"type":"refresh","data":""})", kJson)).status, 200);
}

// A misspelt parameter would publish to the wrong topic, or read the wrong one.
TEST_P(ServerParameters, UnknownParametersAreRefusedWithTheNearestName) {
  options.ignored_parameters = {"token", "my_*"};
  start();
  TestClient client = connect();
  const auto refused = [&](const std::string& request, const std::string& field,
                           const std::string& message) {
    // A connection each: one that became a stream would answer nothing more.
    const TestResponse response = connect().request(request);
    EXPECT_EQ(response.status, 400) << request;
    EXPECT_THAT(response.body, HasSubstr("\"field\":\"" + field + '"')) << request;
    EXPECT_THAT(response.body, HasSubstr("unknown parameter; " + message)) << request;
  };
  const auto get_of = [](const std::string& target) {
    return "GET " + target + " HTTP/1.1\r\nHost: h\r\n\r\n";
  };
  refused(post("channel=a", "x"), "channel",
          "known are stream, topic, type, event, id, retry, msg");
  refused(post("streem=a", "x"), "streem", "did you mean stream?");
  refused(post("stream=a&Type=b", "x"), "Type", "did you mean type?");
  refused(post("stream=a&last_event_id=b", "x"), "last_event_id", "known are");
  refused(post("tokens=a", "x"), "tokens", "");
  refused(post("=a", "x"), "query", "known are stream");
  refused(post(std::string(65, 'x') + "=a", "x"), "query", "known are stream");
  refused(get_of("/publish?message=a"), "message", "known are stream");
  refused(get_of("/events?topics=a,b"), "topics", "did you mean topic? (stream is given once for");
  refused(get_of("/sse?channel=a"), "channel",
          "known are stream, topic, last_event_id, hello, heartbeat");
  refused(get_of("/events?type=a"), "type", "");
  refused(get_of("/events?last_id=earliest"), "last_id", "");
  EXPECT_EQ(sum(&ShardMetrics::events_published), 0U);
  // What others add to any URL.
  for (const std::string added :
       {"_=1699999999", "1699999999", "t=1", "cb=x", "utm_source=a&utm_medium=b", "gclid=a",
        "fbclid=a", "evs_preamble=2056", "ngsw-bypass=true", "org.htmx.cache-buster=true",
        "token=secret", "my_own=1", "my_=1"}) {
    EXPECT_EQ(client.request(post("stream=a&" + added, "x")).status, 204) << added;
    EXPECT_EQ(subscribe("/events?stream=a&" + added).response().status, 200) << added;
  }
  // Resources without parameters look at none: a probe must not fail for what it cannot mean.
  for (const char* target : {"/healthz?verbose", "/readyz?x=1", "/metrics?name[]=a"}) {
    EXPECT_EQ(get(target).status, 200) << target;
  }
}

}  // namespace
}  // namespace tocsin::net
