// A hub that asks for credentials: who may publish, who may listen, and what the others are told.
#include <map>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/net/support/server_fixture.h"
#include "tests/net/support/test_access.h"

namespace tocsin::net {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

constexpr const char* kNdjson = "Content-Type: application/x-ndjson\r\n";
constexpr std::int64_t kLater = 99'999'999'999;

std::string request(const std::string& line, const std::string& fields = {}) {
  return line + " HTTP/1.1\r\nHost: hub.example\r\n" + fields + "\r\n";
}

class ServerAccess : public ServerTest {
 protected:
  void open_with_rights() {
    key_ = rights.add_key("backend", {"*"}, {"*"});
    access = rights.make();
    start();
  }
  // The detail of a problem.
  static std::string detail(const TestResponse& response) {
    const std::string name = R"("detail":")";
    const std::size_t begin = response.body.find(name) + name.size();
    return response.body.substr(begin, response.body.find('"', begin) - begin);
  }
  [[nodiscard]] TestResponse ask(const std::string& line, const std::string& fields = {}) const {
    TestClient client = connect();
    client.send(request(line, fields));
    return client.response(line.starts_with("HEAD "));
  }

  TestAccess rights;
  std::string key_;  // of somebody who may do everything
};
INSTANTIATE_TEST_SUITE_P(Server, ServerAccess, testing::ValuesIn(ServerTest::kBackends),
                         ServerTest::backend_name);

TEST_P(ServerAccess, EveryKindOfCredentialReads) {
  open_with_rights();
  const std::string token = token_for(R"(["chat/*"])");
  const std::string url = rights.sign({.topics = {"chat/1"}, .expires_at_s = kLater});
  const std::vector<std::pair<std::string, std::string>> ways{
      {"/events?topic=chat/1", bearer(key_)},
      {"/events?topic=chat/1", bearer(token)},
      {"/sse?stream=chat/1&hello=0", bearer(token)},
      {"/events?topic=chat/1", "Cookie: a=b; session=" + token + "\r\n"},
      {"/events?topic=chat/1&token=" + token, ""},
      {url, ""},
      {url + "&lastEventId=", ""},
  };
  for (const auto& [target, fields] : ways) {
    SCOPED_TRACE(target + " " + fields);
    TestSubscriber stream = subscribe(target, fields);
    EXPECT_EQ(stream.response().status, 200);
    ASSERT_EQ(connect().request(post("topic=chat/1", "hello", bearer(key_))).status, 204);
    EXPECT_THAT(stream.wait_data(1), ElementsAre("hello"));
  }
}

TEST_P(ServerAccess, EveryKindOfCredentialPublishes) {
  rights.query_token_publishes = true;
  open_with_rights();
  TestSubscriber stream = subscribe("/events?topic=a", bearer(key_));
  const std::string token = token_for("[]", R"(["a"])");
  const std::string own = "Origin: http://hub.example\r\n";
  const std::string cookie = "Cookie: session=" + token + "\r\n";
  TestClient client = connect();
  const auto publish_as = [&](const std::string& query, std::string_view data,
                              const std::string& fields) {
    const TestResponse answer = client.request(
        request("POST " + query,
                fields + "Content-Length: " + std::to_string(data.size()) + "\r\n") +
        std::string(data));
    EXPECT_EQ(answer.status, 204) << query << fields << answer.body;
  };
  publish_as("/publish?topic=a", "1", bearer(key_));
  publish_as("/publish?topic=a", "2", bearer(token));
  publish_as("/publish?topic=a", "3", cookie + own);
  publish_as("/publish?topic=a&token=" + token, "4", "");
  publish_as(rights.sign({.method = "POST", .path = "/publish", .topics = {"a"},
                          .expires_at_s = kLater}),
             "5", "");
  EXPECT_EQ(client.request(request("GET /publish?topic=a&msg=6", bearer(token))).status, 204);
  EXPECT_THAT(stream.wait_data(6), ElementsAre("1", "2", "3", "4", "5", "6"));
}

TEST_P(ServerAccess, RefusalsSayWhatIsWrong) {
  open_with_rights();
  const std::string chat = token_for(R"(["chat/*"])", R"(["chat/1"])");
  const std::string old = token_for(R"(["*"])", R"(["*"])", R"(,"exp":1000000000)");
  struct Case {
    std::string bytes;
    int status;
    std::string detail;     // its beginning
    std::string challenge;  // behind the realm
  };
  const std::vector<Case> cases{
      {request("GET /events?topic=news"), 401, "there is no credential", ""},
      {request("GET /events?topic=news", "Authorization: Basic dTpw\r\n"), 401,
       "the Authorization field has another scheme than Bearer", ""},
      {request("GET /events?topic=news", bearer(old)), 401, "the token expired ",
       R"(, error="invalid_token", error_description="the token expired )"},
      {request("GET /events?topic=news", bearer(chat)), 403,
       "the token may read chat/*, not news",
       R"(, error="insufficient_scope", error_description="the token may read chat/*, not news")"},
      {request("GET /events?topic=chat/1&topic=news", bearer(chat)), 403,
       "the token may read chat/*, not news", R"(, error="insufficient_scope")"},
      {request("GET /events", bearer(chat)), 403, "the token may read chat/*, not events",
       R"(, error="insufficient_scope")"},
      {post("topic=chat/2", "x", bearer(chat)), 403, "the token may publish to chat/1, not chat/2",
       R"(, error="insufficient_scope")"},
      {request("GET /publish?topic=chat/2&msg=x", bearer(chat)), 403,
       "the token may publish to chat/1, not chat/2", R"(, error="insufficient_scope")"},
      {request("GET /events?topic=chat/1", bearer(chat) + "Cookie: session=" + old + "\r\n"), 400,
       "the Authorization field and the cookie are two credentials that differ; send one",
       R"(, error="invalid_request")"},
      {post("topic=chat/1", "x", "Cookie: session=" + chat + "\r\nOrigin: null\r\n"), 403,
       "a cookie counts here only from pages of this host or of an allowed origin; its Origin is "
       "null",
       ""},
      {post("topic=chat/1", "x", "Cookie: session=" + chat + "\r\nOrigin: https://x.example\r\n"),
       403, "a cookie counts here only from pages of this host", ""},
      {post("topic=chat/1&token=" + chat, "x"), 401, "a token in the query does not count here",
       ""},
  };
  for (const Case& one : cases) {
    SCOPED_TRACE(one.bytes);
    const TestResponse answer = connect().request(one.bytes);
    EXPECT_EQ(answer.status, one.status);
    EXPECT_EQ(answer.header("Content-Type"), "application/problem+json");
    EXPECT_THAT(detail(answer), StartsWith(one.detail));
    EXPECT_THAT(answer.header("WWW-Authenticate"),
                StartsWith(R"(Bearer realm="test")" + one.challenge));
    EXPECT_THAT(answer.head + answer.body, Not(HasSubstr(chat.substr(0, 16))));
  }
  EXPECT_EQ(denials(DenialCause::no_credential), 3U);
  EXPECT_EQ(denials(DenialCause::expired), 1U);
  EXPECT_EQ(denials(DenialCause::insufficient_scope), 5U);
  EXPECT_EQ(denials(DenialCause::two_credentials), 1U);
  EXPECT_EQ(denials(DenialCause::foreign_page), 2U);
  EXPECT_EQ(metrics().at(R"(tocsin_denials_total{cause="expired"})"), 1);
  EXPECT_EQ(rejections(Rejection::invalid), 0U);
}

TEST_P(ServerAccess, ARefusedBodyIsNotWaitedFor) {
  open_with_rights();
  TestClient client = connect();
  client.send(request("POST /publish?topic=a",
                      "Content-Length: 1000000\r\nExpect: 100-continue\r\n"));
  const TestResponse answer = client.response();
  EXPECT_EQ(answer.status, 401);
  EXPECT_EQ(answer.header("Connection"), "close");
  client.wait_closed();
}

TEST_P(ServerAccess, OneForbiddenTopicForbidsTheBatch) {
  open_with_rights();
  const std::string token = token_for("[]", R"(["a","b"])");
  TestSubscriber stream = subscribe("/events?topic=a&topic=b&topic=c", bearer(key_));
  TestClient client = connect();
  const auto answer = client.request(post(
      "topic=a",
      "{\"data\":\"1\"}\n{\"data\":\"2\",\"topic\":\"b\"}\n{\"data\":\"3\",\"topic\":\"c\"}\n",
      kNdjson + bearer(token)));
  EXPECT_EQ(answer.status, 403);
  EXPECT_EQ(detail(answer), "the token may publish to a and b, not c");
  EXPECT_EQ(client
                .request(post("topic=a", "{\"data\":\"4\"}\n{\"data\":\"5\",\"topic\":\"b\"}\n",
                              kNdjson + bearer(token)))
                .status,
            200);
  EXPECT_THAT(stream.wait_data(2), ElementsAre("4", "5"));
}

// What an issuer puts into a token must not hold up others.
TEST_P(ServerAccess, PatternsWithoutEndAreNotMatchedWithoutEnd) {
  open_with_rights();
  const std::string pattern = "\"{+a}{+b}{+c}{+d}{+e}{+f}{+g}{+h}";
  std::string patterns = "[\"a\",";
  for (int i = 0; i < 126; ++i) patterns += pattern + "y\",";
  patterns += pattern + "x\"]";
  const std::string reader = bearer(token_for(patterns));
  const std::string token = bearer(token_for("[]", patterns));
  const std::string name(400, 'n');
  const auto publish = [&](const std::vector<std::string>& topics) {
    std::string lines;
    for (const std::string& topic : topics) lines += R"({"data":"1","topic":")" + topic + "\"}\n";
    return connect().request(post("topic=a", lines, kNdjson + token));
  };
  std::vector<std::string> two;
  std::vector<std::string> many;
  for (int i = 0; i < 2000; ++i) two.push_back(i % 2 == 0 ? "a" : name + "x");
  for (int i = 0; i < 8; ++i) many.push_back(name + std::to_string(i) + "x");
  EXPECT_EQ(publish(two).status, 200) << "each of them is asked about once";
  const TestResponse refused = publish(many);
  EXPECT_EQ(refused.status, 403);
  EXPECT_THAT(detail(refused), HasSubstr("too many patterns for so many topics"));
  std::string read = "GET /events?topic=a";
  for (const std::string& topic : many) read += "&topic=" + topic;
  EXPECT_THAT(detail(ask(read, reader)), HasSubstr("too many patterns for so many topics"));
  EXPECT_EQ(ask("HEAD /events?topic=" + name + "x", reader).status, 200);
}

TEST_P(ServerAccess, WithoutACredentialSomeTopicsAreOpen) {
  rights.anonymous = {"news"};
  options.namespaces = {
      {.match = "secret", .subscribe = TopicAccess::nobody},
      {.match = "board/*", .publish = TopicAccess::open, .subscribe = TopicAccess::open},
  };
  open_with_rights();
  TestSubscriber stream = subscribe("/events?topic=news&topic=board/1");
  EXPECT_EQ(connect().request(post("topic=board/1", "hello")).status, 204);
  EXPECT_THAT(stream.wait_data(1), ElementsAre("hello"));
  const TestResponse other = ask("GET /events?topic=news&topic=chat");
  EXPECT_EQ(other.status, 401);
  EXPECT_EQ(detail(other), "it takes a credential to read chat; without one there is news");
  EXPECT_EQ(other.header("WWW-Authenticate"), R"(Bearer realm="test")");
  EXPECT_EQ(connect().request(post("topic=news", "x")).status, 401);
  EXPECT_EQ(ask("GET /events?topic=secret", bearer(key_)).status, 403);
  EXPECT_EQ(ask("GET /events?topic=secret").status, 403) << "a credential would not help";
}

TEST_P(ServerAccess, ParametersOfCredentialsAreKnownWhereTheyMeanSomething) {
  open_with_rights();
  const std::string token = token_for(R"(["*"])", R"(["*"])");
  const auto detail_of = [&](const std::string& line) {
    return detail(ask(line, bearer(token)));
  };
  EXPECT_THAT(detail_of("GET /publish?msg=x&token=" + token),
              StartsWith("a token in the query does not count here"));
  EXPECT_THAT(detail_of("GET /events?exp=1"), StartsWith("unknown parameter"));
  EXPECT_THAT(detail_of("GET /events?sub=1"), StartsWith("unknown parameter"));
  EXPECT_EQ(ask("GET /events?token=").status, 401);
  EXPECT_EQ(ask("HEAD " + rights.sign({.topics = {"a"}, .expires_at_s = kLater, .subject = "me"}))
                .status,
            200);
}

// Who mistypes '&' has it in a topic, or in a name.
TEST_P(ServerAccess, ACredentialIsNotRepeatedToItsSender) {
  options.auto_topics = false;
  open_with_rights();
  const std::string token = token_for("[]", "[]");
  const auto expect_silence = [&](const std::string& line, const std::string& sender) {
    const TestResponse refused = ask(line, bearer(sender));
    EXPECT_GE(refused.status, 400) << line;
    for (const std::string& secret : {key_, token}) {
      EXPECT_THAT(refused.head + refused.body, Not(HasSubstr(secret.substr(0, 25)))) << line;
    }
    return detail(refused);
  };
  for (const std::string& line :
       {"GET /events?topic=a;token=" + key_, "GET /events?topic=a;" + token, "GET /events?" + key_,
        "GET /events?" + token.substr(0, 40), "GET /publish?topic=" + key_ + "&msg=x"}) {
    expect_silence(line, token);
  }
  EXPECT_EQ(expect_silence("GET /publish?msg=x&topic=a;" + token, key_),
            "topic a;...: no such topic");
}

TEST_P(ServerAccess, MetricsAreForEverybodyOrForKeys) {
  const std::string reader = rights.add_key("prometheus", {}, {});
  open_with_rights();
  EXPECT_EQ(ask("GET /metrics").status, 200);
  rights.public_metrics = false;
  server().reload(options, rights.make());
  EXPECT_TRUE(eventually([&] { return ask("GET /metrics").status == 401; }));
  EXPECT_EQ(ask("GET /metrics", bearer(reader)).status, 200);
  EXPECT_EQ(ask("HEAD /metrics", bearer(reader)).status, 200);
  EXPECT_EQ(ask("GET /metrics?token=" + reader).status, 200);
  const TestResponse refused = ask("GET /metrics", bearer(token_for(R"(["*"])", R"(["*"])")));
  EXPECT_EQ(refused.status, 403);
  EXPECT_EQ(detail(refused), "this is for keys of the configuration");
  EXPECT_EQ(ask("GET /healthz").status, 200);
  EXPECT_EQ(ask("GET /readyz").status, 200);
  server().reload(options, nullptr);
  EXPECT_TRUE(eventually([&] { return ask("GET /metrics").status == 200; })) << "it is open";
}

TEST_P(ServerAccess, ASignedUrlIsGoodForItselfAlone) {
  open_with_rights();
  const std::string url = rights.sign({.topics = {"a"}, .expires_at_s = kLater});
  EXPECT_EQ(ask("HEAD " + url).status, 200);
  for (const std::string& other :
       {url + "&topic=b", "/events?topic=b&" + url.substr(url.find('?') + 1),
        "/sse" + url.substr(url.find('?')), url + "&" + url.substr(url.find("sig="))}) {
    EXPECT_EQ(ask("GET " + other).status, 401) << other;
  }
  EXPECT_EQ(ask("GET " + url.substr(0, url.find("&sig="))).status, 401);
}

TEST_P(ServerAccess, PagesAreNamedNeverAll) {
  options.cors_origins = {"*", "https://page.example"};
  open_with_rights();
  const auto answer_to = [&](const std::string& origin) {
    return ask("GET /events?topic=a", "Origin: " + origin + "\r\n");
  };
  const TestResponse page = answer_to("https://page.example");
  EXPECT_EQ(page.status, 401);
  EXPECT_EQ(page.header("Access-Control-Allow-Origin"), "https://page.example");
  EXPECT_EQ(page.header("Access-Control-Allow-Credentials"), "true");
  EXPECT_EQ(page.header("Vary"), "Origin");
  const TestResponse stranger = answer_to("https://other.example");
  EXPECT_THAT(stranger.head, Not(HasSubstr("Access-Control-")));
  EXPECT_EQ(stranger.header("Vary"), "Origin");
  const TestResponse preflight =
      ask("OPTIONS /publish",
          "Origin: https://page.example\r\nAccess-Control-Request-Method: POST\r\n"
          "Access-Control-Request-Headers: authorization, traceparent\r\n");
  EXPECT_EQ(preflight.status, 204);
  EXPECT_EQ(preflight.header("Access-Control-Allow-Headers"),
            "Authorization, Cache-Control, Content-Type, Idempotency-Key, Last-Event-ID, "
            "Publish-Id, traceparent");
}

TEST_P(ServerAccess, AReloadChangesWhoMay) {
  open_with_rights();
  const std::string other = rights.add_key("other", {"*"}, {"*"});
  const auto status = [&](const std::string& key) {
    return ask("HEAD /events?topic=a", bearer(key)).status;
  };
  EXPECT_EQ(status(key_), 200);
  EXPECT_EQ(status(other), 401);
  rights.keys.erase(rights.keys.begin());
  server().reload(options, rights.make());
  // A shard takes the change over in its next turn.
  EXPECT_TRUE(eventually([&] { return status(other) == 200 && status(key_) == 401; }));
  server().reload(options);
  EXPECT_EQ(status(key_), 401) << "who may do what has stayed";
}

}  // namespace
}  // namespace tocsin::net
