// cors_origins: every kind of answer says the same to pages.
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/net/support/server_fixture.h"

namespace tocsin::net {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr const char* kPage = "https://page.example";
constexpr const char* kStranger = "https://stranger.example";

std::string from(const std::string& origin) {
  return origin.empty() ? "" : "Origin: " + origin + "\r\n";
}

std::string request(const std::string& line, const std::string& fields) {
  return line + " HTTP/1.1\r\nHost: h\r\n" + fields + "\r\n";
}

struct Kind {
  const char* name;
  int status;
  std::string (*bytes)(const std::string& fields);
};

// One of every place that an answer comes from.
const std::vector<Kind> kKinds{
    {"stream", 200, [](const auto& fields) { return request("GET /events", fields); }},
    {"head of a stream", 200, [](const auto& fields) { return request("HEAD /sse", fields); }},
    {"route", 201, [](const auto& fields) { return request("GET /route", fields); }},
    {"stream of a route", 200, [](const auto& fields) { return request("GET /own", fields); }},
    {"failed route", 500, [](const auto& fields) { return request("GET /fails", fields); }},
    {"text", 204, [](const auto& fields) { return post("stream=a", "x", fields); }},
    {"JSON", 200,
     [](const auto& fields) {
       return post("stream=a", R"({"data":1})", fields + "Content-Type: application/json\r\n");
     }},
    {"GET publish", 204, [](const auto& fields) { return request("GET /publish?msg=x", fields); }},
    {"probe", 200, [](const auto& fields) { return request("GET /healthz", fields); }},
    {"metrics", 200, [](const auto& fields) { return request("GET /metrics", fields); }},
    {"preflight", 204,
     [](const auto& fields) {
       return request("OPTIONS /events", fields + "Access-Control-Request-Method: GET\r\n");
     }},
    {"preflight of the server", 204,
     [](const auto& fields) { return request("OPTIONS *", fields); }},
    {"unknown path", 404, [](const auto& fields) { return request("GET /none", fields); }},
    {"unknown path with a body", 404,
     [](const auto& fields) { return request("POST /none", fields + "Content-Length: 9\r\n"); }},
    {"wrong method", 405, [](const auto& fields) { return request("DELETE /events", fields); }},
    {"unknown parameter", 400,
     [](const auto& fields) { return request("GET /events?straem=a", fields); }},
    {"bad event", 400, [](const auto& fields) { return post("stream=a&id=%00", "x", fields); }},
    {"large event", 413,
     [](const auto& fields) { return post("stream=a", std::string(2000, 'x'), fields); }},
    {"large body", 413,
     [](const auto& fields) {
       return request("POST /publish", fields + "Content-Length: 99999999\r\n");
     }},
    {"encoded body", 415,
     [](const auto& fields) { return post("", "x", fields + "Content-Encoding: gzip\r\n"); }},
    {"large head", 431,
     [](const auto& fields) {
       return request("GET /events", fields + "X: " + std::string(20'000, 'x') + "\r\n");
     }},
    {"not HTTP behind the origin", 400,
     [](const auto& fields) { return request("GET /events", fields + "no field\r\n"); }},
    {"unknown version", 505,
     [](const auto& fields) { return "GET /events HTTP/2.7\r\nHost: h\r\n" + fields + "\r\n"; }},
};

class ServerCors : public ServerTest {
 protected:
  ServerCors() {
    options.cors_origins = {kPage, "http://other.example"};
    options.max_event_bytes = 1024;
    application.routes = {
        {.path = "/route",
         .handle = [](Server&, const RouteRequest&) -> Answer { return Response{.status = 201}; }},
        {.path = "/own",
         .handle = [](Server&, const RouteRequest&) -> Answer { return StreamResponse{}; }},
        {.path = "/fails", .handle = [](Server&, const RouteRequest&) -> Answer {
           return Response{.status = 7};
         }}};
  }
  [[nodiscard]] TestResponse ask(const Kind& kind, const std::string& origin) const {
    TestClient client = connect();
    client.send(kind.bytes(from(origin)));
    return client.response(std::string_view(kind.name).starts_with("head"));
  }
};
INSTANTIATE_TEST_SUITE_P(Server, ServerCors, testing::ValuesIn(ServerTest::kBackends),
                         ServerTest::backend_name);

TEST_P(ServerCors, EveryAnswerNamesAPageOfTheList) {
  start();
  for (const Kind& kind : kKinds) {
    SCOPED_TRACE(kind.name);
    const TestResponse answer = ask(kind, kPage);
    EXPECT_EQ(answer.status, kind.status);
    // A version that is not spoken is seen before any field is.
    if (kind.status == 505) continue;
    EXPECT_EQ(answer.header("Access-Control-Allow-Origin"), kPage);
    EXPECT_EQ(answer.header("Access-Control-Allow-Credentials"), "true");
    EXPECT_THAT(answer.head, HasSubstr("\r\nVary: Origin\r\n"));
  }
}

TEST_P(ServerCors, NoAnswerNamesAnotherPage) {
  start();
  for (const Kind& kind : kKinds) {
    for (const std::string origin : {kStranger, "null", ""}) {
      SCOPED_TRACE(std::string(kind.name) + " " + origin);
      const TestResponse answer = ask(kind, origin);
      EXPECT_EQ(answer.status, kind.status);
      EXPECT_THAT(answer.head, Not(HasSubstr("Access-Control-Allow-Origin")));
      EXPECT_THAT(answer.head, Not(HasSubstr("Access-Control-Allow-Credentials")));
      EXPECT_THAT(answer.head, HasSubstr("\r\nVary: Origin\r\n"));
    }
  }
}

TEST_P(ServerCors, EverybodyIsTheDefault) {
  options.cors_origins = ServerOptions{}.cors_origins;
  start();
  for (const Kind& kind : kKinds) {
    SCOPED_TRACE(kind.name);
    const TestResponse answer = ask(kind, kPage);
    EXPECT_EQ(answer.header("Access-Control-Allow-Origin"), "*");
    EXPECT_THAT(answer.head, Not(HasSubstr("Access-Control-Allow-Credentials")));
    EXPECT_THAT(answer.head, Not(HasSubstr("Vary: Origin")));
  }
}

// Refused while streams are full, and when a request does not come to its end.
TEST_P(ServerCors, WhoIsTurnedAwayIsToldSo) {
  options.max_connections = 1;
  options.request_timeout_s = 1;
  start();
  const TestSubscriber stream = subscribe();
  for (const auto& [bytes, status] :
       {std::pair{request("GET /events", from(kPage)), 503},
        std::pair{request("POST /publish", from(kPage) + "Content-Length: 9\r\n"), 408}}) {
    const TestResponse answer = connect().request(bytes);
    EXPECT_EQ(answer.status, status);
    EXPECT_EQ(answer.header("Access-Control-Allow-Origin"), kPage) << status;
    EXPECT_EQ(answer.header("Access-Control-Allow-Credentials"), "true") << status;
  }
}

TEST_P(ServerCors, AReloadChangesTheList) {
  start();
  const auto allowed = [&] {
    return connect()
        .request(request("GET /healthz", from(kStranger)))
        .header("Access-Control-Allow-Origin");
  };
  EXPECT_EQ(allowed(), "");
  ServerOptions changed = options;
  changed.cors_origins = {"*", kStranger};
  server().reload(changed);
  // A shard takes the options over in its next turn.
  EXPECT_TRUE(eventually([&] { return allowed() == kStranger; }));
  server().reload(options);
  EXPECT_TRUE(eventually([&] { return allowed().empty(); }));
}

TEST_P(ServerCors, AWrongListIsSaidAtTheStart) {
  options.cors_origins = {"https://a.example/"};
  const auto started = Server::start(options);
  ASSERT_FALSE(started);
  EXPECT_THAT(started.error(), HasSubstr("cors_origins: \"https://a.example/\" is not"));
}

}  // namespace
}  // namespace tocsin::net
