// Every row of "bad input gets a clear answer": the status, a problem document, and everybody else
// unaffected.
#include <cstdlib>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/net/support/server_fixture.h"

namespace tocsin::net {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

struct BadRequest {
  const char* name;
  std::string bytes;
  int status;
  Rejection why;
  bool closes;
};

std::string head(const std::string& line, const std::string& fields = {}) {
  return line + "\r\nHost: hub\r\n" + fields + "\r\n";
}

std::vector<BadRequest> bad_requests() {
  using enum Rejection;
  const std::string too_many_topics = [] {
    std::string query = "stream=a";
    for (std::size_t i = 0; i < limits::kMaxTopicsPerSubscriber; ++i)
      query += "&stream=" + std::to_string(i);
    return query;
  }();
  const std::string json = "Content-Type: application/json\r\n";
  const std::string ndjson = "Content-Type: application/x-ndjson\r\n";
  return {
      {"NotHttp", "hello there\r\n\r\n", 400, malformed, true},
      {"UnknownMethod", head("FOO /events HTTP/1.1"), 501, method, true},
      {"FoldedLine", head("GET /events HTTP/1.1", "Last-Event-ID: a\r\n b\r\n"), 400, malformed,
       true},
      {"NoHost", "GET /events HTTP/1.1\r\n\r\n", 400, malformed, true},
      {"BareTls", std::string("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11), 400, malformed,
       true},
      {"BadLength", head("POST /publish HTTP/1.1", "Content-Length: x\r\n"), 400, malformed, true},
      {"TwoLengths", head("POST /publish HTTP/1.1", "Content-Length: 1\r\nContent-Length: 2\r\n"),
       400, malformed, true},
      {"Smuggling",
       head("POST /publish HTTP/1.1", "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n"), 400,
       malformed, true},
      {"Version2", head("GET /events HTTP/2.0"), 505, version, true},
      {"LargeHead",
       head("GET /events HTTP/1.1", "X: " + std::string(limits::kMaxRequestHead, 'x') + "\r\n"),
       431, head_too_large, true},
      {"LongTarget",
       head("GET /events?stream=" + std::string(limits::kMaxRequestHead, 'x') + " HTTP/1.1"), 431,
       head_too_large, true},
      {"LargeBody", head("POST /publish HTTP/1.1", "Content-Length: 4194305\r\n"), 413,
       body_too_large, true},
      {"HugeBody", head("POST /publish HTTP/1.1", "Content-Length: 99999999999999\r\n"), 413,
       body_too_large, true},
      {"UnknownPath", head("GET /nowhere HTTP/1.1"), 404, not_found, false},
      {"UnknownPathWithBody", head("POST /nowhere HTTP/1.1", "Content-Length: 5\r\n"), 404,
       not_found, true},
      {"WrongMethod", head("DELETE /events HTTP/1.1"), 405, method, false},
      {"WrongMethodWithBody", head("PUT /publish HTTP/1.1", "Content-Length: 5\r\n"), 405, method,
       true},
      {"PostToEvents", head("POST /events HTTP/1.1", "Content-Length: 0\r\n"), 405, method, false},
      {"HeadOfPublish", head("GET /publish?msg= HTTP/1.1"), 400, invalid, false},
      {"EmptyBody", post("stream=a", ""), 400, invalid, false},
      {"BlankType", post("stream=a&type=%0Ax", "x"), 400, invalid, false},
      {"LineEndInId", post("stream=a&id=a%0Db", "x"), 400, invalid, false},
      {"NulInId", post("stream=a&id=a%00b", "x"), 400, invalid, false},
      {"RetryNotDigits", post("stream=a&retry=1s", "x"), 400, invalid, false},
      {"RetryNegative", post("stream=a&retry=-1", "x"), 400, invalid, false},
      {"RetryTooLong", post("stream=a&retry=86400001", "x"), 400, invalid, false},
      {"NotUtf8", post("stream=a", "\xff\xfe"), 400, invalid, false},
      {"QueryNotUtf8", post("stream=%ff", "x"), 400, invalid, false},
      {"BadPercent", post("stream=%g1", "x"), 400, invalid, false},
      {"BadJson", post("stream=a", "{\"data\":", json), 400, invalid, false},
      {"JsonWithoutData", post("stream=a", "{}", json), 400, invalid, false},
      {"EmptyArray", post("stream=a", "[]", json), 400, invalid, false},
      {"BadLine", post("stream=a", "{\"data\":1}\nnonsense\n", ndjson), 400, invalid, false},
      {"TopicWithControl", post("stream=a%07", "x"), 400, invalid, false},
      {"SubscribeControl", head("GET /events?stream=%0a HTTP/1.1"), 400, invalid, false},
      {"SubscribeEmptyTopic", head("GET /events?stream= HTTP/1.1"), 400, invalid, false},
      {"SubscribeLongTopic", head("GET /events?stream=" + std::string(513, 'x') + " HTTP/1.1"), 400,
       invalid, false},
      {"SubscribeBadQuery", head("GET /events?stream=%zz HTTP/1.1"), 400, invalid, false},
      {"TooManyTopics", head("GET /events?" + too_many_topics + " HTTP/1.1"), 400, invalid, false},
  };
}

class ServerBadInput : public ServerTest {};
INSTANTIATE_TEST_SUITE_P(Server, ServerBadInput, testing::ValuesIn(ServerTest::kBackends),
                         ServerTest::backend_name);

TEST_P(ServerBadInput, SaysWhatIsWrongWithAQuery) {
  start();
  const auto says = [this](const std::string& query) { return get("/events?" + query).body; };
  EXPECT_THAT(says("stream=%zz"), HasSubstr("% without two hexadecimal digits"));
  EXPECT_THAT(says("stream=%ff"), HasSubstr("UTF-8"));
  std::string many;
  for (std::size_t i = 0; i <= limits::kMaxQueryPairs; ++i) many += "x&";
  EXPECT_THAT(says(many), HasSubstr("more than 256 parameters"));
}

TEST_P(ServerBadInput, GetsAClearAnswerAndHurtsNobody) {
  start();
  TestSubscriber stream = subscribe("/events?stream=a&stream=events");
  TestClient publisher = connect();
  std::size_t published = 0;
  for (const BadRequest& bad : bad_requests()) {
    SCOPED_TRACE(bad.name);
    const std::uint64_t before = rejections(bad.why);
    TestClient client = connect();
    const TestResponse response = client.request(bad.bytes);
    EXPECT_EQ(response.status, bad.status) << response.body;
    EXPECT_EQ(response.header("Content-Type"), "application/problem+json");
    EXPECT_THAT(response.body, StartsWith("{\"type\":\"about:blank\",\"title\":\""));
    EXPECT_THAT(response.body, HasSubstr("\"status\":" + std::to_string(bad.status)));
    EXPECT_THAT(response.body, Not(HasSubstr("\"detail\":\"\""))) << "words for people";
    EXPECT_EQ(response.header("Connection"), bad.closes ? "close" : "");
    if (bad.status == 405) {
      EXPECT_THAT(response.header("Allow"), HasSubstr("GET"));
    }
    EXPECT_EQ(rejections(bad.why), before + 1);
    if (bad.closes) {
      EXPECT_EQ(client.read_to_end(), "");
    } else {
      EXPECT_EQ(client.request(head("GET /healthz HTTP/1.1")).body, "ok\n");
    }
    ++published;
    ASSERT_EQ(publisher.request(post("stream=a", bad.name)).status, 204);
    EXPECT_EQ(stream.wait_data(published).back(), bad.name);
  }
}

TEST_P(ServerBadInput, NamesTheFieldAndTheLine) {
  start();
  TestClient client = connect();
  EXPECT_THAT(client.request(post("stream=a&retry=x", "x")).body, HasSubstr(R"("field":"retry")"));
  EXPECT_THAT(client.request(post("stream=a&id=%00", "x")).body, HasSubstr(R"("field":"id")"));
  EXPECT_THAT(client
                  .request(post("stream=a", "{\"data\":1}\n\n{\"data\":1,\"id\":\"\\u0000\"}",
                                "Content-Type: application/x-ndjson\r\n"))
                  .body,
              testing::AllOf(HasSubstr(R"("line":3)"), HasSubstr(R"("field":"id")")));
}

TEST_P(ServerBadInput, TheHubsOwnIdsAreReserved) {
  start();
  const std::string id = publish("stream=a", "x");
  const TestResponse response = connect().request(post("stream=a&id=" + id, "y"));
  EXPECT_EQ(response.status, 400);
  EXPECT_THAT(response.body, HasSubstr(R"("field":"id")"));
}

// Closing on unread bytes would reset the connection and take the answer along.
TEST_P(ServerBadInput, TheAnswerArrivesEvenWhileALargeBodyIsBeingSent) {
  start();
  for (const std::string& request : {head("POST /publish HTTP/1.1", "Content-Length: 50000000\r\n"),
                                     head("POST /nowhere HTTP/1.1", "Content-Length: 50000000\r\n"),
                                     head("PUT /publish HTTP/1.1", "Content-Length: 50000000\r\n"),
                                     std::string("nonsense\r\n\r\n")}) {
    SCOPED_TRACE(request);
    TestClient client = connect();
    client.send(request);
    const std::string part(100'000, 'x');
    for (int i = 0; i < 30; ++i) client.send(part);
    EXPECT_THAT(client.response().status, testing::AnyOf(400, 404, 405, 413));
    client.half_close();
    EXPECT_EQ(client.read_to_end(), "");
  }
}

TEST_P(ServerBadInput, ABodyThatGrowsPastTheLimitInChunks) {
  start();
  TestClient client = connect();
  client.send(head("POST /publish HTTP/1.1", "Transfer-Encoding: chunked\r\n"));
  const std::string chunk = "10000\r\n" + std::string(0x10000, 'x') + "\r\n";
  for (std::size_t i = 0; i <= limits::kMaxRequestBody / 0x10000; ++i) client.send(chunk);
  EXPECT_EQ(client.response().status, 413);
}

TEST_P(ServerBadInput, SlowRequestsAreEnded) {
  options.request_timeout_s = 1;
  start();
  TestSubscriber stream = subscribe("/events?stream=a");
  TestClient silent = connect();
  TestClient slow_head = connect();
  slow_head.send("GET /events HTTP/1.1\r\nHost: ");
  TestClient slow_body = connect();
  slow_body.send(head("POST /publish?stream=a HTTP/1.1", "Content-Length: 100\r\n") + "half");
  TestClient second = connect();
  EXPECT_EQ(second.request(post("stream=b", "x")).status, 204);
  second.send("POST /pub");
  for (TestClient* client : {&slow_head, &slow_body, &second}) {
    EXPECT_EQ(client->response().status, 408);
    EXPECT_EQ(client->read_to_end(), "");
  }
  EXPECT_EQ(silent.read_to_end(), "") << "who asked for nothing gets no answer";
  EXPECT_EQ(rejections(Rejection::timeout), 3U);
  publish("stream=a", "x");
  EXPECT_EQ(stream.wait_data(1)[0], "x");
}

// A byte now and then does not extend the time.
TEST_P(ServerBadInput, DribblingDoesNotHelp) {
  options.request_timeout_s = 1;
  start();
  TestClient client = connect();
  std::size_t sent = 0;
  EXPECT_TRUE(eventually([&] {
    if (!client.try_send(sent++ == 0 ? "GET /events?stream=" : "x")) return true;
    return rejections(Rejection::timeout) == 1;
  }));
  EXPECT_EQ(client.response().status, 408);
}

}  // namespace
}  // namespace tocsin::net
