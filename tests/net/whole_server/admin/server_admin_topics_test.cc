// The admin API: who may use it, what it is asked wrongly, and topics.
#include <array>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "net/auth/authentication.h"
#include "tests/net/whole_server/admin/admin_fixture.h"

namespace tocsin::net {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

class ServerAdmin : public AdminTest {};
INSTANTIATE_TEST_SUITE_P(Server, ServerAdmin, testing::ValuesIn(ServerTest::kBackends),
                         ServerTest::backend_name);

constexpr std::array<const char*, 8> kAll{"GET /admin/topics",      "GET /admin/topics/a",
                                          "DELETE /admin/topics/a", "GET /admin/streams",
                                          "GET /admin/presence",    "POST /admin/disconnect",
                                          "POST /admin/revoke",     "GET /admin/revocations"};

// --- who

TEST_P(ServerAdmin, AnOpenHubHasNone) {
  start();
  publish("topic=a", "x");
  for (const char* line : kAll) {
    for (const std::string& fields : {std::string(), bearer(admin)}) {
      const TestResponse answer = connect().request(http(line, fields));
      EXPECT_EQ(answer.status, 404) << line;
      EXPECT_THAT(answer.body, HasSubstr("nothing here")) << line;
    }
  }
  EXPECT_EQ(connect().request(http("OPTIONS /admin/topics")).status, 404);
  EXPECT_THAT(connect().request(http("OPTIONS *")).header("Allow"), Not(HasSubstr("DELETE")));
  // It comes and goes with [auth].
  server().reload(options, rights.make());
  EXPECT_TRUE(eventually([&] { return ask("GET /admin/topics/a").status == 200; }));
  server().reload(options, nullptr);
  EXPECT_TRUE(eventually([&] { return ask("GET /admin/topics/a").status == 404; }));
}

TEST_P(ServerAdmin, OnlyWhoAdministratesIsLetIn) {
  start_administrated();
  publish_as_shop("a", "x");
  TestSubscriber stream = stream_of("ann");
  for (const char* line : kAll) {
    EXPECT_EQ(connect().request(http(line)).status, 401) << line;
    EXPECT_EQ(ask(line, "no key of anybody").status, 401) << line;
    const std::string url_key = rights.sign({.topics = {"a"}, .expires_at_s = 99'999'999'999});
    EXPECT_EQ(connect()
                  .request(http(std::string(line) + "?" + url_key.substr(url_key.find('?') + 1)))
                  .status / 100,
              4)
        << line;
    for (const std::string& other : {publisher, token_of("ann")}) {
      const TestResponse answer = ask(line, other);
      EXPECT_EQ(answer.status, 403) << line;
      EXPECT_THAT(answer.body, HasSubstr("keys that administrate")) << line;
      EXPECT_THAT(answer.header("WWW-Authenticate"), HasSubstr("insufficient_scope")) << line;
    }
    // A body of somebody's is not even read.
    if (std::string_view(line).starts_with("POST")) {
      EXPECT_EQ(order(std::string(line).substr(5), R"({"topic":"a"})", bearer(publisher)).status,
                403);
      EXPECT_EQ(order(std::string(line).substr(5), R"({"topic":"a"})", "").status, 401);
    }
  }
  EXPECT_EQ(ask("GET /admin/topics/a").status, 200) << "nothing was done";
  publish_as_shop("a", "still");
  EXPECT_THAT(stream.wait_data(1), ElementsAre("still"));
}

TEST_P(ServerAdmin, ACookieOfAnotherPageDoesNothing) {
  start_administrated();
  const std::string cookie = "Cookie: session=" + admin + "\r\n";
  EXPECT_EQ(order("/admin/disconnect", R"({"topic":"a"})", cookie).status, 403);
  EXPECT_EQ(order("/admin/disconnect", R"({"topic":"a"})",
                  cookie + "Origin: https://elsewhere.example\r\n")
                .status,
            403);
  EXPECT_EQ(connect().request(http("DELETE /admin/topics/a", cookie)).status, 403);
  EXPECT_EQ(order("/admin/disconnect", R"({"topic":"a"})",
                  cookie + "Origin: https://hub.example\r\n")
                .status,
            200);
}

// An application's authenticator may say so of anybody.
TEST_P(ServerAdmin, AnApplicationHasItsOwnAdministrators) {
  application.authenticate = [](Server&, const AuthenticationRequest& asked) -> Authentication {
    if (asked.http.header(proto::Header::authorization) != "root") return Declined{};
    return Authenticated(std::make_shared<const Principal>(
        Principal{.kind = CredentialKind::webhook, .subject = "root", .admin = true}));
  };
  start();
  EXPECT_EQ(connect().request(http("GET /admin/topics", "Authorization: root\r\n")).status, 200);
  EXPECT_EQ(connect().request(http("GET /admin/topics")).status, 403);
}

// --- what is asked wrongly

TEST_P(ServerAdmin, WrongMethodsAndParametersAreNamed) {
  start_administrated();
  const auto status = [this](const std::string& line) { return ask(line).status; };
  EXPECT_EQ(ask("POST /admin/topics").header("Allow"), "GET, HEAD, OPTIONS");
  EXPECT_EQ(ask("POST /admin/topics/a").header("Allow"), "GET, HEAD, DELETE, OPTIONS");
  EXPECT_EQ(status("DELETE /admin/topics"), 405);
  EXPECT_EQ(status("GET /admin/disconnect"), 405);
  EXPECT_EQ(status("DELETE /admin/streams"), 405);
  EXPECT_EQ(status("PUT /admin/topics/a"), 405);
  EXPECT_EQ(status("GET /admin"), 404);
  EXPECT_EQ(status("GET /admin/"), 404);
  EXPECT_EQ(status("GET /admin/nothing"), 404);
  EXPECT_EQ(status("GET /admin/streams/"), 404);
  EXPECT_EQ(status("GET //admin/topics"), 404);
  EXPECT_EQ(status("GET /admin/%74opics"), 404);
  EXPECT_EQ(status("HEAD /admin/topics"), 200);
  EXPECT_EQ(status("HEAD /admin/streams"), 200);
  for (const char* list : {"topics", "streams", "revocations"}) {
    const std::string base = std::string("GET /admin/") + list;
    for (const char* query :
         {"?limit=0", "?limit=1001", "?limit=-1", "?limit=", "?limit=1e3", "?limit=1&limit=2",
          "?limit=18446744073709551617", "?after=", "?after=a&after=b", "?limt=5", "?%zz"}) {
      EXPECT_EQ(status(base + query), 400) << base << query;
    }
    EXPECT_EQ(status(base + "?limit=1000"), 200) << base;
    EXPECT_THAT(ask(base + "?limt=5").body, HasSubstr("limit")) << base;
  }
  for (const char* query : {"?after=x", "?after=-1", "?after=99999999999999999999"}) {
    EXPECT_EQ(status(std::string("GET /admin/topics") + query), 400) << query;
  }
  EXPECT_EQ(status("GET /admin/topics?after=18446744073709551615"), 200);
}

TEST_P(ServerAdmin, NamesInThePathAreDecodedOnce) {
  start_administrated();
  const std::vector<std::string> names{"a/b", "a%2Fb", "caf\xc3\xa9", "..", "a?b", " ", "/", "#"};
  for (const std::string& name : names) publish_as_shop(name, "x");
  for (const std::string& name : names) {
    const TestResponse answer = ask("GET /admin/topics/" + proto::percent_encode(name));
    ASSERT_EQ(answer.status, 200) << name;
    EXPECT_EQ(member(answer.body, "name"), name);
  }
  EXPECT_EQ(member(ask("GET /admin/topics/a/b").body, "name"), "a/b");
  EXPECT_EQ(ask("GET /admin/topics//").status, 200);
  for (const std::string& bad :
       {std::string(), std::string("%"), std::string("%0"), std::string("%zz"),
        std::string("a%00b"), std::string("%1f5.1"), std::string("%0d%0a"), std::string("%ff"),
        std::string(513, 'x')}) {
    for (const char* method : {"GET ", "DELETE "}) {
      EXPECT_EQ(ask(method + std::string("/admin/topics/") + bad).status, 400) << bad;
    }
  }
  EXPECT_EQ(ask("GET /admin/topics/none").status, 404);
}

// --- topics

TEST_P(ServerAdmin, ATopicSaysWhatItHas) {
  options.history_count = 2;
  options.namespaces = {{.match = "chat/*", .name = "chat"}};
  start_administrated();
  TestSubscriber one = stream_of("ann", "topic=chat/1");
  TestSubscriber both = stream_of("bob", "topic=chat/1&topic=chat/2&topic=chat/1");
  publish_as_shop("chat/1", "hello");
  one.wait_data(1);
  const TestResponse answer = ask("GET /admin/topics/chat/1");
  EXPECT_EQ(answer.header("Content-Type"), "application/json");
  EXPECT_EQ(answer.header("Cache-Control"), "no-store");
  EXPECT_EQ(member(answer.body, "namespace"), "chat");
  EXPECT_EQ(member(answer.body, "events"), "1");
  EXPECT_EQ(member(answer.body, "subscribers"), "2");
  EXPECT_GT(std::stoi(member(answer.body, "bytes")), 20);
  EXPECT_EQ(member(ask("GET /admin/topics/chat/2").body, "subscribers"), "1");
  const auto gauge = [this](const std::string& space) {
    return metrics().at("tocsin_namespace_subscribers{namespace=\"" + space + "\"}");
  };
  EXPECT_EQ(gauge("chat"), 3);
  EXPECT_EQ(gauge("other"), 0);
  both.client().close();
  EXPECT_TRUE(eventually([&] { return gauge("chat") == 1; }));
  EXPECT_EQ(member(ask("GET /admin/topics/chat/1").body, "subscribers"), "1");
  // The streams are in another namespace after a reload.
  options.namespaces = {{.match = "chat/1", .name = "first"}, {.match = "chat/*", .name = "chat"}};
  server().reload(options, rights.make());
  EXPECT_EQ(gauge("first"), 1);
  EXPECT_EQ(gauge("chat"), 0);
  EXPECT_EQ(member(ask("GET /admin/topics/chat/1").body, "namespace"), "first");
}

TEST_P(ServerAdmin, PagesHaveEveryTopic) {
  start_administrated();
  std::set<std::string> all{"\\\"quoted\\\""};
  publish_as_shop("\"quoted\"", "x");
  for (int i = 100; i < 250; ++i) {
    all.insert(fmt::format("t{}", i));
    publish_as_shop(fmt::format("t{}", i), "x");
  }
  for (const std::size_t limit : {1U, 7U, 64U, 65U, 1000U}) {
    std::set<std::string> seen;
    std::string next;
    do {
      const std::string after = next.empty() ? "" : "&after=" + next;
      const TestResponse page = ask(fmt::format("GET /admin/topics?limit={}{}", limit, after));
      ASSERT_EQ(page.status, 200);
      EXPECT_LE(count_of(page.body, "\"name\":"), limit);
      for (const std::string& name : all) {
        if (!page.body.contains("\"name\":\"" + name + "\"")) continue;
        EXPECT_TRUE(seen.insert(name).second) << name << " twice";
      }
      next = member(page.body, "next");
    } while (next != "none");
    EXPECT_EQ(seen, all) << limit;
  }
}

TEST_P(ServerAdmin, ATopicThatIsRemovedEndsItsStreams) {
  start_administrated();
  publish_as_shop("a", "old");
  TestSubscriber reader = stream_of("ann");
  TestSubscriber both = stream_of("bob", "topic=a&topic=b");
  TestSubscriber other = stream_of("bob", "topic=b");
  publish_as_shop("a", "last");
  EXPECT_EQ(ask("DELETE /admin/topics/a").status, 204);
  for (TestSubscriber* stream : {&reader, &both}) {
    stream->wait_end();
    EXPECT_TRUE(stream->ended_properly());
    EXPECT_THAT(stream->wait_data(1), ElementsAre("last"));
  }
  EXPECT_EQ(ask("DELETE /admin/topics/a").status, 404);
  EXPECT_EQ(ask("GET /admin/topics/a").status, 404);
  // Who comes back is told that something is missing, and reads the new topic of the name.
  const std::string id = reader.events().back().id;
  TestSubscriber again =
      subscribe("/events?topic=a", bearer(token_of("ann")) + "Last-Event-ID: " + id + "\r\n");
  publish_as_shop("a", "new");
  publish_as_shop("b", "of b");
  const std::vector<TestEvent>& events = again.wait_events(1);
  EXPECT_EQ(events.back().data, "new") << "it has had all there was";
  EXPECT_THAT(other.wait_data(1), ElementsAre("of b"));
  TestSubscriber behind = subscribe("/events?topic=a", bearer(token_of("ann")) +
                                                           "Last-Event-ID: " +
                                                           id.substr(0, id.find('-')) + "-0\r\n");
  EXPECT_EQ(behind.wait_events(2)[0].type, "gap");
  EXPECT_EQ(behind.events()[1].data, "new");
}

}  // namespace
}  // namespace tocsin::net
