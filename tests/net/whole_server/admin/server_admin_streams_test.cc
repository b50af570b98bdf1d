// The admin API: which streams there are, who reads, and ending them, while all goes on.
#include <algorithm>
#include <atomic>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/net/support/socket_pair.h"
#include "tests/net/whole_server/admin/admin_fixture.h"

namespace tocsin::net {
namespace {

using testing::AnyOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

class ServerAdminStreams : public AdminTest {
 protected:
  // All streams of a list by pages of this size: their ids.
  [[nodiscard]] std::set<std::string> list(const std::string& query, std::size_t limit) const {
    std::set<std::string> ids;
    std::string next;
    do {
      const std::string after = next.empty() ? "" : "&after=" + next;
      const TestResponse page =
          ask(fmt::format("GET /admin/streams?limit={}{}{}", limit, query, after));
      EXPECT_EQ(page.status, 200) << page.body;
      EXPECT_LE(count_of(page.body, "\"id\":"), limit);
      for (std::size_t at = page.body.find("\"id\":"); at != std::string::npos;
           at = page.body.find("\"id\":", at + 1)) {
        EXPECT_TRUE(ids.insert(page.body.substr(at + 6, 16)).second) << "twice";
      }
      next = member(page.body, "next");
    } while (next != "none");
    return ids;
  }
  void expect_last_event(TestSubscriber& stream, const std::string& reason) const {
    stream.wait_end();
    EXPECT_TRUE(stream.ended_properly());
    ASSERT_THAT(stream.events(), Not(IsEmpty()));
    EXPECT_EQ(stream.events().back().type, "expired");
    EXPECT_EQ(stream.events().back().data, "{\"reason\":\"" + reason + "\"}");
  }
};
INSTANTIATE_TEST_SUITE_P(Server, ServerAdminStreams, testing::ValuesIn(ServerTest::kBackends),
                         ServerTest::backend_name);

TEST_P(ServerAdminStreams, AStreamSaysWhoseItIsAndWhereItStands) {
  rights.anonymous = {"open"};
  start_administrated();
  TestSubscriber ann = stream_of("ann", "topic=a&topic=b");
  TestSubscriber nobody = subscribe("/events?topic=open");
  const std::string body = ask("GET /admin/streams?topic=b").body;
  EXPECT_EQ(count_of(body, "\"id\":"), 1U) << body;
  EXPECT_EQ(member(body, "subject"), "ann");
  EXPECT_THAT(body, HasSubstr(R"("topics":["a","b"])"));
  EXPECT_THAT(member(body, "age_s"), AnyOf("0", "1", "2", "3"));
  EXPECT_EQ(member(body, "address"), "127.0.0.1");
  EXPECT_EQ(member(body, "behind_bytes"), "0");
  EXPECT_EQ(member(body, "behind_ms"), "none");
  EXPECT_THAT(member(body, "position"), HasSubstr("-0"));
  EXPECT_EQ(member(body, "id").size(), 16U);
  const std::string open = ask("GET /admin/streams?topic=open").body;
  EXPECT_EQ(count_of(open, "\"id\":"), 1U);
  EXPECT_EQ(member(open, "subject"), "none") << "nobody's in particular";
  EXPECT_EQ(member(ask("GET /admin/streams?subject=ann").body, "id"), member(body, "id"));
  EXPECT_EQ(ask("GET /admin/streams?topic=none").body, "{\"streams\":[]}\n");
  EXPECT_EQ(ask("GET /admin/streams?subject=").status, 400);
  EXPECT_EQ(ask("GET /admin/streams?topic=%01").status, 400);
  EXPECT_EQ(ask("GET /admin/streams?after=1").status, 400);
  EXPECT_EQ(ask("GET /admin/presence").status, 400);
}

// The log that a stream has for itself is no topic of the hub.
TEST_P(ServerAdminStreams, OfAProgramsStreamTheHubsTopicsAreNamed) {
  application.routes = {{.path = "/own", .handle = [](Server&, const RouteRequest&) -> Answer {
                           return StreamResponse{
                               .topics = {"a"}, .on_open = [](const StreamWriter& writer) {
                                 EXPECT_TRUE(writer.publish({.data = "for one"}));
                               }};
                         }}};
  start_administrated();
  TestSubscriber own = subscribe("/own");
  EXPECT_EQ(own.wait_data(1).front(), "for one");
  EXPECT_THAT(ask("GET /admin/streams").body, HasSubstr(R"("topics":["a"])"));
}

// As limits on clients see it. Whoever is no trusted proxy can say what it likes.
TEST_P(ServerAdminStreams, ItsAddressIsTheOneBehindATrustedProxy) {
  options.trusted_proxies = {"127.0.0.11"};
  options.shards = 1;  // slots are used again
  start_administrated();
  const auto open = [&](const std::string& source, const std::string& forwarded) {
    return std::make_unique<TestSubscriber>(
        address(), "/events?topic=a", bearer(token_of("ann")) + forwarded, 0, source);
  };
  const auto seen = [&] { return member(ask("GET /admin/streams").body, "address"); };
  const std::string forwarded = "X-Forwarded-For: 203.0.113.9, 2001:db8::1\r\n";
  auto stream = open("127.0.0.11", forwarded);
  EXPECT_EQ(seen(), "2001:db8::1");
  const auto again = [&](const std::string& source, const std::string& fields) {
    stream.reset();
    ASSERT_TRUE(eventually([&] { return sum(&ShardMetrics::streams_open) == 0; }));
    stream = open(source, fields);
  };
  again("127.0.0.11", "");
  EXPECT_EQ(seen(), "127.0.0.11") << "it says nobody";
  again("127.0.0.12", forwarded);
  EXPECT_EQ(seen(), "127.0.0.12") << "nobody trusts it";
  again("127.0.0.11", "X-Forwarded-For: 192.0.2.7\r\n");
  EXPECT_EQ(seen(), "192.0.2.7");
  options.trusted_proxies = {};
  server().reload(options, rights.make());
  again("127.0.0.11", "X-Forwarded-For: 192.0.2.7\r\n");
  EXPECT_EQ(seen(), "127.0.0.11");
}

// Of one that opened while the hub was open nothing is known.
TEST_P(ServerAdminStreams, AStreamFromBeforeIsNobodys) {
  start();
  TestSubscriber before = subscribe("/events?topic=open");
  rights.anonymous = {"open"};
  server().reload(options, rights.make());
  std::string body;
  ASSERT_TRUE(eventually([&] {
    const TestResponse answer = ask("GET /admin/streams");
    body = answer.body;
    return answer.status == 200 && answer.body.contains("\"id\"");
  }));
  EXPECT_EQ(member(body, "age_s"), "none");
  EXPECT_EQ(member(body, "subject"), "none");
}

TEST_P(ServerAdminStreams, PagesHaveEveryStream) {
  start_administrated();
  std::vector<std::unique_ptr<TestSubscriber>> streams;
  for (int i = 0; i < 40; ++i) {
    streams.push_back(std::make_unique<TestSubscriber>(
        address(), i % 2 == 0 ? "/events?topic=a" : "/events?topic=b&topic=a",
        bearer(token_of(fmt::format("u{}", i % 5)))));
  }
  for (const std::size_t limit : {1U, 3U, 39U, 40U, 41U, 1000U}) {
    EXPECT_EQ(list("", limit).size(), 40U) << limit;
    EXPECT_EQ(list("&topic=b", limit).size(), 20U) << limit;
    EXPECT_EQ(list("&topic=b&subject=u1", limit).size(), 4U) << limit;
  }
  const TestResponse presence = ask("GET /admin/presence?topic=a&limit=3");
  EXPECT_EQ(member(presence.body, "streams"), "40");
  EXPECT_EQ(member(presence.body, "anonymous"), "0");
  EXPECT_THAT(presence.body,
              HasSubstr(R"([{"subject":"u0","streams":8},{"subject":"u1","streams":8},)"));
  EXPECT_EQ(member(presence.body, "next"), "u2");
  EXPECT_THAT(ask("GET /admin/presence?topic=a&limit=3&after=u2").body,
              HasSubstr(R"([{"subject":"u3","streams":8},{"subject":"u4","streams":8}]})"));
}

TEST_P(ServerAdminStreams, APageIsBoundedByItsBytes) {
  options.shards = 1;
  start_administrated();
  std::string topics;
  for (int i = 0; i < 30; ++i) topics += fmt::format("&topic={}{}", i, std::string(400, 't'));
  std::vector<std::unique_ptr<TestSubscriber>> streams;
  for (int i = 0; i < 40; ++i) {
    streams.push_back(
        std::make_unique<TestSubscriber>(address(), "/events?" + topics.substr(1),
                                         bearer(token_of("ann"))));
  }
  EXPECT_LT(ask("GET /admin/streams?limit=1000").body.size(),
            limits::kMaxAdminPage + limits::kMaxRequestHead);
  EXPECT_EQ(list("", 1000).size(), 40U);
}

TEST_P(ServerAdminStreams, WhatIsBehindIsSaid) {
  options.slow_bytes = 64ULL << 20;
  options.send_buffer = 4096;
  start_administrated();
  TestSubscriber slow(address(), "/events?topic=a", bearer(token_of("slow")), 2048);
  const std::string large(200'000, 'x');
  for (int i = 0; i < 10; ++i) publish_as_shop("a", large);
  std::string body;
  EXPECT_TRUE(eventually([&] {
    body = ask("GET /admin/streams?topic=a").body;
    return std::stoull(member(body, "behind_bytes")) > 1'000'000;
  })) << body;
  EXPECT_NE(member(body, "behind_ms"), "none");
}

// --- disconnecting

TEST_P(ServerAdminStreams, StreamsEndBySubjectTopicOrId) {
  start_administrated();
  TestSubscriber ann = stream_of("ann");
  TestSubscriber ann_b = stream_of("ann", "topic=b&topic=a");
  TestSubscriber bob = stream_of("bob", "topic=b&topic=c");
  TestSubscriber cid = stream_of("cid", "topic=d");
  EXPECT_EQ(ended_by("/admin/disconnect", R"({"subject":"ann","topic":"b"})"),
            "{\"streams\":1}\n");
  expect_last_event(ann_b, "disconnected");
  EXPECT_EQ(ended_by("/admin/disconnect", R"({"topic":"c"})"), "{\"streams\":1}\n");
  expect_last_event(bob, "disconnected");
  const std::string id = member(ask("GET /admin/streams?subject=cid").body, "id");
  std::string earlier = id;  // the last digit of the generation: another stream had the slot
  earlier[7] = id[7] == '0' ? '1' : '0';
  EXPECT_EQ(ended_by("/admin/disconnect", "{\"stream\":\"" + earlier + "\"}"),
            "{\"streams\":0}\n");
  EXPECT_EQ(ended_by("/admin/disconnect", "{\"stream\":\"" + id + "\"}"), "{\"streams\":1}\n");
  expect_last_event(cid, "disconnected");
  EXPECT_EQ(ended_by("/admin/disconnect", "{\"stream\":\"" + id + "\"}"), "{\"streams\":0}\n");
  EXPECT_EQ(ended_by("/admin/disconnect", R"({"subject":"nobody"})"), "{\"streams\":0}\n");
  publish_as_shop("a", "still");
  EXPECT_THAT(ann.wait_data(1), ElementsAre("still"));
  // It may come back at once.
  TestSubscriber again = stream_of("cid", "topic=d");
  EXPECT_EQ(sum(&ShardMetrics::streams_withdrawn), 3U);
}

TEST_P(ServerAdminStreams, WrongOrdersEndNothing) {
  start_administrated();
  TestSubscriber ann = stream_of("ann");
  for (const std::string path : {"/admin/disconnect", "/admin/revoke"}) {
    for (const std::string body :
         {"", "{}", "[]", "null", "\"ann\"", "{\"subject\":\"ann\"", "{\"subject\":1}",
          "{\"subject\":null}", "{\"subject\":\"\"}", "{\"subjekt\":\"ann\"}",
          "{\"subject\":\"ann\",\"subject\":\"ann\"}", "{\"subject\":\"\xff\"}",
          "{\"subject\":[\"ann\"]}", "subject=ann", "{\"subject\":\"ann\",\"also\":1}",
          "{\"topic\":\"\\u0000\"}", "{\"stream\":\"1\"}", "{\"stream\":\"zzzzzzzzzzzzzzzz\"}",
          "{\"until\":1}", "{\"subject\":\"ann\",\"until\":\"soon\"}",
          "{\"subject\":\"ann\",\"until\":-1}", "{\"subject\":\"ann\",\"until\":1e99}",
          "{\"subject\":\"ann\",\"until\":999999999999999}"}) {
      const TestResponse answer = order(path, body);
      EXPECT_EQ(answer.status, 400) << path << " " << body << answer.body;
    }
    EXPECT_EQ(order(path, "{\"subject\":\"" + std::string(257, 'a') + "\",\"until\":9}").status,
              400);
    EXPECT_EQ(order(path, "{\"subject\":\"" + std::string(20'000, 'a') + "\"}").status, 413);
    EXPECT_EQ(order(path, std::string(5000, '[')).status, 400);
  }
  EXPECT_THAT(order("/admin/disconnect", R"({"subjekt":"ann"})").body, HasSubstr("subject"));
  publish_as_shop("a", "still");
  EXPECT_THAT(ann.wait_data(1), ElementsAre("still"));
}

// Many streams, some of which do not read, while events come all the time.
TEST_P(ServerAdminStreams, ADisconnectUnderLoad) {
  options.send_buffer = 4096;
  options.slow_bytes = 64ULL << 20;
  start_administrated();
  std::vector<std::unique_ptr<TestSubscriber>> gone;
  std::vector<std::unique_ptr<TestSubscriber>> stay;
  for (int i = 0; i < 60; ++i) {
    const bool slow = i % 3 == 0;
    auto& list = i % 2 == 0 ? gone : stay;
    list.push_back(std::make_unique<TestSubscriber>(
        address(), i % 5 == 0 ? "/events?topic=a&topic=b" : "/events?topic=a",
        bearer(token_of(i % 2 == 0 ? "gone" : "stays")), slow ? 2048 : 0));
  }
  std::atomic<bool> enough{false};
  std::atomic<int> published{0};
  std::thread load([&] {
    TestClient client = connect();
    const std::string data(3000, 'x');
    while (!enough) {
      ASSERT_EQ(client.request(post("topic=a", data, bearer(publisher))).status, 204);
      ++published;
    }
  });
  EXPECT_TRUE(eventually([&] { return published > 50; }));
  EXPECT_EQ(ended_by("/admin/disconnect", R"({"subject":"gone"})"), "{\"streams\":30}\n");
  EXPECT_EQ(list("&subject=gone", 100).size(), 0U);
  EXPECT_EQ(list("&subject=stays", 100).size(), 30U);
  enough = true;
  load.join();
  for (auto& stream : gone) stream->wait_end();
  const auto whole = static_cast<std::size_t>(published);
  for (auto& stream : stay) EXPECT_EQ(stream->wait_data(whole).size(), whole);
}

// --- the way of a question

TEST_P(ServerAdminStreams, QuestionsAreAnsweredInOrder) {
  start_administrated();
  TestSubscriber ann = stream_of("ann");
  TestClient client = connect();
  std::string all;
  for (int i = 0; i < 10; ++i) {
    all += http("GET /admin/streams", bearer(admin)) + http("GET /healthz");
  }
  client.send(all);
  for (int i = 0; i < 10; ++i) {
    const TestResponse answer = client.response();
    EXPECT_THAT(answer.body, HasSubstr("\"subject\":\"ann\""));
    EXPECT_EQ(client.response().body, "ok\n");
  }
}

TEST_P(ServerAdminStreams, WhoAsksTooMuchAtOnceIsToldSo) {
  start_administrated();
  server().state().inquiries = limits::kMaxStreamInquiries;  // as if others had asked
  const TestResponse answer = ask("GET /admin/streams");
  EXPECT_EQ(answer.status, 503);
  EXPECT_EQ(answer.header("Retry-After"), "1");
  server().state().inquiries = 0;
  EXPECT_EQ(ask("GET /admin/streams").status, 200);
  EXPECT_TRUE(eventually([&] { return server().state().inquiries == 0; }));
}

// A shard that has ended has no streams; those that have not are still to be asked.
TEST_P(ServerAdminStreams, ADrainingHubAnswers) {
  options.drain_timeout_s = 60;
  options.shards = 8;
  start_administrated();
  TestClient asking = connect();
  const std::string whole = http("GET /admin/streams", bearer(admin));
  asking.send(whole.substr(0, 20));
  ASSERT_TRUE(eventually([&] { return sum(&ShardMetrics::requests_open) == 1; }));
  server().drain();
  // All others have nobody to wait for.
  ASSERT_TRUE(eventually([] {
    return std::ranges::count_if(thread_names(), [](const std::string& name) {
             return name.starts_with("shard-");
           }) == 1;
  }));
  asking.send(whole.substr(20));
  const TestResponse answer = asking.response();
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.body, "{\"streams\":[]}\n");
  EXPECT_EQ(server().state().inquiries, 0U);
}

TEST_P(ServerAdminStreams, WhoLeavesBeforeTheAnswerLeavesNothing) {
  start_administrated();
  for (int i = 0; i < 50; ++i) {
    TestClient client = connect();
    client.send(http("GET /admin/streams", bearer(admin)));
    client.reset();
  }
  // Some of them may be read only now: as long as many are, one more is told to wait.
  EXPECT_TRUE(eventually([&] { return ask("GET /admin/streams").status == 200; }));
  EXPECT_TRUE(eventually([&] { return server().state().inquiries == 0; }));
}

}  // namespace
}  // namespace tocsin::net
