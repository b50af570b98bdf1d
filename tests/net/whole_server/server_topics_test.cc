// The program that runs the hub: publishes, makes topics, removes them.
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/net/support/server_fixture.h"

namespace tocsin::net {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using Reason = PublishFailure::Reason;

class ServerTopics : public ServerTest {};
INSTANTIATE_TEST_SUITE_P(Server, ServerTopics, testing::ValuesIn(ServerTest::kBackends),
                         ServerTest::backend_name);

TEST_P(ServerTopics, PublishesFromManyThreadsInOneOrder) {
  start();
  TestSubscriber one = subscribe("/events?stream=a");
  TestSubscriber two = subscribe("/events?stream=a");
  constexpr int kThreads = 4;
  constexpr int kEach = 500;
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < kThreads; ++t) {
      threads.emplace_back([&, t] {
        for (int i = 0; i < kEach; ++i) {
          const std::string data = std::to_string(t) + ":" + std::to_string(i);
          EXPECT_TRUE(server().publish({.topic = "a", .data = data}).has_value());
        }
      });
    }
  }
  EXPECT_EQ(one.wait_events(kThreads * kEach), two.wait_events(kThreads * kEach));
  std::array<int, kThreads> next{};
  for (const TestEvent& event : one.events()) {
    const auto thread = static_cast<std::size_t>(event.data.front() - '0');
    EXPECT_EQ(event.data, std::to_string(thread) + ":" + std::to_string(next[thread]++));
  }
}

TEST_P(ServerTopics, AReceiptNamesTheIdsOnTheWire) {
  start();
  TestSubscriber stream = subscribe();
  const proto::EventView batch[] = {{.type = "x", .data = "1"}, {.id = "mine", .data = "2"}};
  const auto receipt = server().publish(batch);
  ASSERT_TRUE(receipt.has_value());
  stream.wait_events(2);
  EXPECT_EQ(stream.events()[0], (TestEvent{.type = "x", .data = "1", .id = receipt->first_id}));
  EXPECT_EQ(stream.events()[1], (TestEvent{.type = "message", .data = "2", .id = "mine"}));
  EXPECT_EQ(receipt->last_id, "mine");
  const auto accented = server().publish({.topic = "a", .id = "caf\u00e9", .data = "3"});
  ASSERT_TRUE(accented.has_value());
  EXPECT_EQ(accented->last_id, "caf%C3%A9") << "as it is on the wire";
  EXPECT_EQ(metric("tocsin_events_published_total"), metric("tocsin_events_encoded_total"));
}

TEST_P(ServerTopics, ABadBatchIsRefusedWhole) {
  options.auto_topics = false;
  options.topics = {"events"};
  start();
  const proto::EventView batch[] = {{.data = "1"}, {.type = "a\nb", .data = "2"}};
  auto refused = server().publish(batch);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().reason, Reason::invalid);
  EXPECT_EQ(refused.error().error.field, "type");
  EXPECT_EQ(refused.error().error.line, 2U);
  EXPECT_EQ(server().publish({.data = "\xff"}).error().error.field, "data");
  EXPECT_EQ(server().publish({.topic = "b", .data = "x"}).error().reason, Reason::no_topic);
  EXPECT_NE(server().publish({.topic = "b", .data = "x"}).error().error.message, "");
  EXPECT_EQ(server()
                .publish({.topic = "\x1f"
                                   "1",
                          .data = "x"})
                .error()
                .error.field,
            "topic");
  EXPECT_EQ(server().publish(std::span<const proto::EventView>{}).error().reason, Reason::invalid);
  TestSubscriber stream = subscribe("/events?last_event_id=earliest");
  ASSERT_TRUE(server().publish({.data = "first"}).has_value());
  EXPECT_THAT(stream.wait_data(1), ElementsAre("first"));
}

TEST_P(ServerTopics, WithoutAutoTopicsOnlyCreatedOnesExist) {
  options.auto_topics = false;
  start();
  EXPECT_FALSE(server().topic_exists("a"));
  EXPECT_EQ(get("/events?stream=a").status, 404);
  EXPECT_TRUE(server().create_topic("b"));
  EXPECT_THAT(get("/events?stream=b&stream=a").body, HasSubstr("topic a: no such topic"));
  EXPECT_TRUE(server().create_topic("a"));
  EXPECT_TRUE(server().topic_exists("a"));
  TestSubscriber stream = subscribe("/events?stream=a");
  publish("stream=a", "x");
  EXPECT_THAT(stream.wait_data(1), ElementsAre("x"));
  EXPECT_TRUE(server().remove_topic("a"));
  stream.wait_end();
  EXPECT_EQ(get("/events?stream=a").status, 404);
  EXPECT_FALSE(server().remove_topic("a"));
  EXPECT_FALSE(server().create_topic("not\na name"));
  EXPECT_FALSE(
      server().remove_topic("\x1f"
                            "1"));
}

// Many streams on both shards, of one topic and of two; each gets all before its end.
TEST_P(ServerTopics, RemovalEndsEveryStreamBehindItsLastEvent) {
  start();
  constexpr int kStreams = 700;  // more than one turn ends
  std::vector<std::unique_ptr<TestSubscriber>> streams;
  for (int i = 0; i < kStreams; ++i) {
    const std::string target = i % 2 == 0 ? "/events?stream=a" : "/events?stream=a&stream=b";
    streams.push_back(std::make_unique<TestSubscriber>(address(), target));
  }
  TestSubscriber other = subscribe("/events?stream=b");
  for (int i = 0; i < 10; ++i) {
    ASSERT_TRUE(server().publish({.topic = "a", .data = std::to_string(i)}).has_value());
  }
  EXPECT_TRUE(server().remove_topic("a"));
  for (const auto& stream : streams) {
    stream->wait_end();
    ASSERT_EQ(stream->events().size(), 10U);
    EXPECT_EQ(stream->events().back().data, "9");
  }
  EXPECT_TRUE(eventually([&] { return sum(&ShardMetrics::streams_open) == 1; }));
  publish("stream=b", "still here");
  EXPECT_THAT(other.wait_data(1), ElementsAre("still here"));
}

TEST_P(ServerTopics, ATopicMayReplayToEverybody) {
  start();
  ASSERT_TRUE(server().create_topic("a", {.history_count = 2, .auto_replay = true}));
  for (const char* data : {"1", "2", "3"}) publish("stream=a", data);
  TestSubscriber fresh = subscribe("/events?stream=a");
  EXPECT_THAT(fresh.wait_data(2), ElementsAre("2", "3"));
  TestSubscriber back =
      subscribe("/events?stream=a", "Last-Event-ID: " + fresh.events()[0].id + "\r\n");
  EXPECT_THAT(back.wait_data(1), ElementsAre("3"));
}

TEST_P(ServerTopics, Base64CarriesAnyBytes) {
  start();
  ASSERT_TRUE(server().create_topic("binary", {.base64 = true}));
  TestSubscriber stream = subscribe("/events?stream=binary&stream=text");
  using namespace std::string_view_literals;
  ASSERT_TRUE(server().publish({.topic = "binary", .data = "\xff\0\n"sv}).has_value());
  const proto::EventView batch[] = {{.topic = "text", .data = "plain"},
                                    {.topic = "binary", .data = "a"}};
  ASSERT_TRUE(server().publish(batch).has_value());
  publish("stream=binary", "by HTTP");
  EXPECT_THAT(stream.wait_data(4), ElementsAre("/wAK", "plain", "YQ==", "YnkgSFRUUA=="));
}

// Encoded once, whoever reads it; JSON stays JSON in it.
TEST_P(ServerTopics, AnEnvelopeTellsTheTopic) {
  options.envelope_topics = {"listed"};
  start();
  ASSERT_TRUE(server().create_topic("made", {.envelope = true}));
  ASSERT_TRUE(server().create_topic("both", {.base64 = true, .envelope = true}));
  TestSubscriber stream = subscribe("/events?stream=listed&stream=made&stream=both&stream=plain");
  TestClient client = connect();
  const char* json = "Content-Type: application/json\r\n";
  EXPECT_EQ(client.request(post("stream=listed&type=t&id=7", "text\nof two")).status, 204);
  EXPECT_EQ(client.request(post("stream=made", "{ \"a\": 1 }")).status, 204);
  EXPECT_EQ(client
                .request(post("", R"([{"stream":"made","data":42},{"stream":"made","data":"42"},
                                        {"stream":"plain","data":42}])",
                              json))
                .status,
            200);
  EXPECT_EQ(client.request(post("stream=plain&envelope=true", "once")).status, 204);
  EXPECT_EQ(client.request(post("stream=plain&envelope=false", "not")).status, 204);
  EXPECT_EQ(client
                .request(post("envelope=true", R"([{"stream":"plain","data":[1]},
                                                     {"stream":"made","data":""}])",
                              json))
                .status,
            200);
  ASSERT_TRUE(server().publish({.topic = "both", .data = "\xff"}));
  ASSERT_TRUE(server().publish({.topic = "plain", .data = "true", .envelope = true, .json = true}));
  EXPECT_THAT(
      stream.wait_data(11),
      ElementsAre(R"({"topic":"listed","data":"text\nof two"})",
                  R"({"topic":"made","data":{"a":1}})", R"({"topic":"made","data":42})",
                  R"({"topic":"made","data":"42"})", "42", R"({"topic":"plain","data":"once"})",
                  "not", R"({"topic":"plain","data":[1]})", R"({"topic":"made","data":""})",
                  R"({"topic":"both","data":"/w=="})", R"({"topic":"plain","data":true})"));
  EXPECT_EQ(stream.events()[0].type, "t");
  EXPECT_EQ(stream.events()[0].id, "7");
}

TEST_P(ServerTopics, EveryTopicMayHaveAnEnvelope) {
  start();
  TestSubscriber stream = subscribe("/events?stream=a&stream=b");
  publish("stream=a", "1");
  ServerOptions all = options;
  all.envelope_topics = {"*"};
  server().reload(all);
  publish("stream=a", "2");
  publish("stream=b", "3");
  server().reload(options);
  publish("stream=b", "4");
  EXPECT_THAT(stream.wait_data(4),
              ElementsAre("1", R"({"topic":"a","data":"2"})", R"({"topic":"b","data":"3"})", "4"));
}

// It has a `data:` line, so every client dispatches it.
TEST_P(ServerTopics, AnEventMayBeOnlyAType) {
  start();
  TestSubscriber stream = subscribe("/events?stream=a");
  ASSERT_TRUE(server().publish({.topic = "a", .type = "refresh"}));
  ASSERT_TRUE(server().publish({.topic = "a"}));
  stream.wait_events(2);
  EXPECT_EQ(stream.events()[0].type, "refresh");
  EXPECT_EQ(stream.events()[0].data, "");
  EXPECT_THAT(stream.bytes(), HasSubstr("event: refresh\ndata: \nid: "));
}

TEST_P(ServerTopics, AfterTheEndNothingIsPublished) {
  start();
  stop();
  EXPECT_EQ(server().publish({.data = "x"}).error().reason, Reason::closed);
  EXPECT_NE(server().publish({.data = "x"}).error().error.message, "");
}

}  // namespace
}  // namespace tocsin::net
