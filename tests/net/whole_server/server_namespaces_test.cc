// Options of topics by their names, as a client meets them: what is kept, who may, what a reload
// changes, what /metrics counts.
#include <future>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "net/server/start_check.h"
#include "tests/net/support/server_fixture.h"

namespace tocsin::net {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using Reason = PublishFailure::Reason;

constexpr const char* kJson = "Content-Type: application/json\r\n";

class ServerNamespaces : public ServerTest {
 protected:
  // What a new reader of all that is kept gets.
  void expect_kept(const std::string& topic, const std::vector<std::string>& data) const {
    TestSubscriber reader = subscribe("/events?stream=" + topic + "&last_event_id=earliest");
    EXPECT_EQ(reader.wait_data(data.size()), data) << topic;
  }
};
INSTANTIATE_TEST_SUITE_P(Server, ServerNamespaces, testing::ValuesIn(ServerTest::kBackends),
                         ServerTest::backend_name);

TEST_P(ServerNamespaces, TheFirstThatMatchesCounts) {
  options.max_event_bytes = 4096;
  options.namespaces = {{.match = "chat/lobby", .options = {.history_count = 1}},
                        {.match = "chat/*", .options = {.history_count = 2, .envelope = true}},
                        {.match = "small", .options = {.max_event_bytes = 1024}}};
  start();
  for (const char* topic : {"chat/lobby", "chat/1", "news"}) {
    for (const char* data : {"1", "2", "3"}) publish(std::string("stream=") + topic, data);
  }
  expect_kept("chat/lobby", {"3"});
  expect_kept("chat/1", {R"({"topic":"chat/1","data":"2"})", R"({"topic":"chat/1","data":"3"})"});
  expect_kept("news", {"1", "2", "3"});
  const std::string data(2000, 'x');
  EXPECT_EQ(connect().request(post("stream=small", data)).status, 413);
  EXPECT_EQ(connect().request(post("stream=news", data)).status, 204);
}

TEST_P(ServerNamespaces, ATopicsOwnOptionsComeFirst) {
  options.namespaces = {{.match = "a*", .options = {.history_count = 1, .auto_replay = true}}};
  start();
  ASSERT_TRUE(server().create_topic("a", {.history_count = 2}));
  for (const char* data : {"1", "2", "3"}) publish("stream=a", data);
  TestSubscriber fresh = subscribe("/events?stream=a");
  EXPECT_THAT(fresh.wait_data(2), ElementsAre("2", "3"));
}

TEST_P(ServerNamespaces, Base64OfAWholeNamespaceCarriesAnyBytes) {
  options.namespaces = {{.match = "binary/*", .options = {.base64 = true}}};
  start();
  TestSubscriber stream = subscribe("/events?stream=binary/1");
  ASSERT_TRUE(server().publish({.topic = "binary/1", .data = "\xff"}));
  EXPECT_FALSE(server().publish({.topic = "text", .data = "\xff"}));
  EXPECT_THAT(stream.wait_data(1), ElementsAre("/w=="));
}

TEST_P(ServerNamespaces, WhatIsForNoClientIsForTheProgramAlone) {
  options.namespaces = {{.match = "inside/*", .publish = TopicAccess::nobody},
                        {.match = "secret/*", .subscribe = TopicAccess::nobody}};
  start();
  TestSubscriber stream = subscribe("/events?stream=inside/1&stream=b");
  const TestResponse refused = connect().request(post("stream=inside/1", "x"));
  EXPECT_EQ(refused.status, 403);
  EXPECT_EQ(refused.header("Content-Type"), "application/problem+json");
  EXPECT_THAT(refused.body, HasSubstr("topic inside/1: clients may not publish here"));
  EXPECT_EQ(get("/publish?stream=inside/1&msg=x").status, 403);
  // All or nothing, wherever it stands in the batch.
  const std::string batch = R"([{"stream":"b","data":"1"},{"stream":"inside/2","data":"2"}])";
  EXPECT_EQ(connect().request(post("", batch, kJson)).status, 403);
  ASSERT_TRUE(server().publish({.topic = "inside/1", .data = "from within"}));
  publish("stream=b", "from outside");
  EXPECT_THAT(stream.wait_data(2), ElementsAre("from within", "from outside"));

  publish("stream=secret/1", "x");
  for (const char* target : {"/events?stream=secret/1", "/events?stream=b&stream=secret/2",
                             "/sse?topic=secret/1&last_event_id=earliest"}) {
    const TestResponse hidden = get(target);
    EXPECT_EQ(hidden.status, 403) << target;
    EXPECT_THAT(hidden.body, HasSubstr("clients may not read it")) << target;
  }
  EXPECT_EQ(denials(DenialCause::insufficient_scope), 6U);
}

// An open hub knows none.
TEST_P(ServerNamespaces, WhereATokenIsAskedForNobodyIsLetIn) {
  options.namespaces = {
      {.match = "t", .publish = TopicAccess::token, .subscribe = TopicAccess::token}};
  start();
  EXPECT_THAT(connect().request(post("stream=t", "x")).body, HasSubstr("takes a token"));
  EXPECT_EQ(connect().request(post("stream=t", "x")).status, 403);
  EXPECT_EQ(get("/events?stream=t").status, 403);
  EXPECT_EQ(connect().request(post("stream=tt", "x")).status, 204) << "an exact name";
}

// The program's own routes give what they decide to give.
TEST_P(ServerNamespaces, ARouteMayServeWhatIsForNoClient) {
  options.namespaces = {{.match = "*", .subscribe = TopicAccess::nobody}};
  application.routes.push_back(
      {.path = "/mine", .handle = [](Server&, const RouteRequest&) -> Answer {
         return StreamResponse{.topics = {"a"}};
       }});
  start();
  TestSubscriber stream = subscribe("/mine");
  publish("stream=a", "x");
  EXPECT_THAT(stream.wait_data(1), ElementsAre("x"));
  EXPECT_EQ(get("/events?stream=a").status, 403);
}

TEST_P(ServerNamespaces, AReloadChangesTopicsThatAreThere) {
  start();
  TestSubscriber stream = subscribe("/events?stream=a");
  for (const char* data : {"1", "2", "3"}) publish("stream=a", data);
  expect_kept("a", {"1", "2", "3"});
  ServerOptions changed = options;
  changed.namespaces = {{.match = "a", .options = {.history_count = 1, .envelope = true}}};
  server().reload(changed);
  expect_kept("a", {"3"});
  publish("stream=a", "4");
  const std::string wrapped = R"({"topic":"a","data":"4"})";
  EXPECT_THAT(stream.wait_data(4), ElementsAre("1", "2", "3", wrapped));
  changed.namespaces[0] = {.match = "a", .publish = TopicAccess::nobody};
  server().reload(changed);
  // Shards take it over at their next turn.
  EXPECT_TRUE(eventually([&] { return connect().request(post("stream=a", "x")).status == 403; }));
  server().reload(options);
  EXPECT_TRUE(eventually([&] { return connect().request(post("stream=a", "5")).status == 204; }));
}

TEST_P(ServerNamespaces, MetricsCountByNamespace) {
  start();
  EXPECT_THAT(get("/metrics").body, Not(HasSubstr("tocsin_namespace_"))) << "there is none";
  ServerOptions changed = options;
  changed.namespaces = {
      {.match = "chat/*", .name = "chat", .options = {.max_event_bytes = 1024}},
      {.match = "in*", .publish = TopicAccess::nobody}};
  server().reload(changed);
  TestSubscriber stream = subscribe("/events?stream=chat/secret&stream=b");
  publish("stream=chat/secret", "x");
  publish("stream=b", "x");
  EXPECT_EQ(connect().request(post("stream=chat/secret", std::string(2000, 'x'))).status, 413);
  EXPECT_TRUE(eventually([&] { return connect().request(post("stream=in", "x")).status == 403; }));
  const std::string page = get("/metrics").body;
  check_metrics_page(page);
  EXPECT_THAT(page, Not(HasSubstr("secret")));
  const auto samples = parse_metrics(page);
  EXPECT_EQ(samples.at("tocsin_namespace_events_total{namespace=\"chat\"}"), 1);
  EXPECT_EQ(samples.at("tocsin_namespace_subscriptions_total{namespace=\"chat\"}"), 1);
  EXPECT_EQ(samples.at("tocsin_namespace_subscriptions_total{namespace=\"other\"}"), 1);
  EXPECT_EQ(samples.at("tocsin_namespace_refusals_total{namespace=\"chat\"}"), 1);
  EXPECT_EQ(samples.at("tocsin_namespace_refusals_total{namespace=\"in*\"}"), 1);
  EXPECT_EQ(metric("tocsin_namespace_events_total"), metric("tocsin_events_encoded_total"));
  EXPECT_EQ(metric("tocsin_namespace_bytes_total"), metric("tocsin_encoded_bytes_total"));
}

TEST(Namespaces, FaultsAreNamedAtTheStart) {
  ServerOptions options;
  const auto fault = [&options](std::vector<TopicNamespace> namespaces) {
    options.namespaces = std::move(namespaces);
    const auto started = check_start(options, {});
    return started ? std::string() : started.error();
  };
  EXPECT_EQ(fault({{.match = "a/1"}, {.match = "a/*"}, {.match = "*"}}), "");
  EXPECT_EQ(fault({{}}), "topics: match is missing");
  for (const char* match : {"a*b", "**", "a\nb"}) {
    EXPECT_THAT(fault({{.match = match}}), HasSubstr("is no topic's name")) << match;
  }
  EXPECT_EQ(fault({{.match = "a/*"}, {.match = "b"}, {.match = "a/1"}}),
            "topics: match \"a/1\" is never reached behind \"a/*\"");
  EXPECT_EQ(fault({{.match = "a"}, {.match = "a"}}),
            "topics: match \"a\" is never reached behind \"a\"");
  EXPECT_THAT(fault({{.match = "a", .name = "\n"}}), HasSubstr("name"));
  std::vector<TopicNamespace> many;
  for (int i = 0; i < 256; ++i) many.push_back({.match = "t" + std::to_string(i)});
  EXPECT_EQ(fault(many), "");
  many.push_back({.match = "more"});
  EXPECT_EQ(fault(many), "topics: there are more than 256 namespaces");
}

}  // namespace
}  // namespace tocsin::net
