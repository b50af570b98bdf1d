// What is published again under one key, or with one id: answered as the first time, there once.
#include <algorithm>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "proto/limits.h"
#include "tests/net/support/store_fixture.h"
#include "tests/net/support/test_access.h"

namespace tocsin::net {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr const char* kJson = "Content-Type: application/json\r\n";
constexpr const char* kLines = "Content-Type: application/x-ndjson\r\n";

std::string numbered(const std::string& value) { return "Publish-Id: " + value + "\r\n"; }
std::string keyed(const std::string& value) { return "Idempotency-Key: " + value + "\r\n"; }

class ServerRepeat : public ServerTest {
 protected:
  TestResponse post_to_a(std::string_view data, const std::string& fields) {
    if (!client_) client_.emplace(connect());
    return client_->request(post("stream=a", data, fields));
  }
  [[nodiscard]] std::vector<std::string> data_of_a() const {
    TestSubscriber reader = subscribe("/events?stream=a&last_event_id=earliest&hello=1");
    reader.wait_until([&] { return !reader.events().empty(); });
    TestClient end = connect();
    end.send(post("stream=a", "the end"));
    (void)end.response();
    std::vector<std::string> data;
    reader.wait_until(
        [&] { return !reader.events().empty() && reader.events().back().data == "the end"; });
    for (const TestEvent& event : reader.events()) {
      if (event.type != "open") data.push_back(event.data);
    }
    data.pop_back();
    return data;
  }

 private:
  std::optional<TestClient> client_;
};
INSTANTIATE_TEST_SUITE_P(Server, ServerRepeat, testing::ValuesIn(ServerTest::kBackends),
                         ServerTest::backend_name);

TEST_P(ServerRepeat, ARepetitionIsAnsweredAsTheFirstTime) {
  start();
  for (const std::string& fields : {numbered("shop/1"), keyed("\"8e03978e\"")}) {
    const TestResponse first = post_to_a("x", fields);
    EXPECT_EQ(first.status, 204);
    (void)post_to_a("other", "");
    for (int i = 0; i < 2; ++i) {
      const TestResponse again = post_to_a("x", fields);
      EXPECT_EQ(again.status, 204);
      EXPECT_EQ(again.header("Event-ID"), first.header("Event-ID"));
    }
  }
  EXPECT_THAT(data_of_a(), ElementsAre("x", "other", "x", "other"));
  EXPECT_EQ(sum(&ShardMetrics::repeats), 4U);
  EXPECT_EQ(sum(&ShardMetrics::events_published), 5U) << "with the end";
  EXPECT_EQ(metric("tocsin_publish_repeats_total"), 4);
}

TEST_P(ServerRepeat, ABatchHasOneKey) {
  start();
  const std::string body = "{\"data\":\"1\"}\n{\"data\":\"2\",\"id\":\"own\"}\n";
  const TestResponse first = post_to_a(body, kLines + numbered("shop/1"));
  EXPECT_EQ(first.status, 200);
  const TestResponse again = post_to_a(body, kLines + numbered("shop/1"));
  EXPECT_EQ(again.status, 200);
  EXPECT_EQ(again.body, first.body);
  EXPECT_EQ(post_to_a(R"([{"data":"3"}])", kJson + numbered("shop/2")).status, 200);
  EXPECT_THAT(data_of_a(), ElementsAre("1", "2", "3"));
}

TEST_P(ServerRepeat, AKeyOfSomethingElseIsAnError) {
  start();
  EXPECT_EQ(post_to_a("x", numbered("shop/1")).status, 204);
  EXPECT_EQ(post_to_a("x", keyed("k")).status, 204);
  for (const std::string& fields : {numbered("shop/1"), keyed("\"k\"")}) {
    const TestResponse response = post_to_a("y", fields);
    EXPECT_EQ(response.status, 422);
    EXPECT_EQ(response.header("Content-Type"), "application/problem+json");
    EXPECT_THAT(response.body, HasSubstr("was used before, to publish something else"));
  }
  EXPECT_EQ(rejections(Rejection::conflict), 2U);
  EXPECT_THAT(data_of_a(), ElementsAre("x", "x"));
}

TEST_P(ServerRepeat, AHoleIsSaidWithWhatIsExpected) {
  start();
  EXPECT_EQ(post_to_a("x", numbered("a/b/1")).status, 204);
  const TestResponse hole = post_to_a("y", numbered("a/b/3"));
  EXPECT_EQ(hole.status, 409);
  EXPECT_THAT(hole.body, HasSubstr("does not follow the last number of this name: 2 is expected"));
  EXPECT_THAT(hole.body, HasSubstr(R"("field":"Publish-Id","expected":2})"));
  const TestResponse unknown = post_to_a("y", numbered("c/3"));
  EXPECT_EQ(unknown.status, 409);
  EXPECT_THAT(unknown.body, HasSubstr("no number of this name is known: 1 is expected"));
  EXPECT_EQ(post_to_a("", numbered("a/b/2")).status, 400) << "is refused, and takes no number";
  EXPECT_EQ(post_to_a("y", numbered("a/b/2")).status, 204);
  EXPECT_THAT(data_of_a(), ElementsAre("x", "y"));
}

TEST_P(ServerRepeat, WhatIsNoKeyIsRefused) {
  start();
  const std::string longest(limits::kMaxPublishName, 'n');
  for (const std::string value :
       {"", "shop", "/1", "shop/", "shop/0", "shop/-1", "shop/1x", "sh op/1",
        "shop/9007199254740992", "caf\xC3\xA9/1", "shop/1, shop/2"}) {
    const TestResponse response = post_to_a("x", numbered(value));
    EXPECT_EQ(response.status, 400) << value;
    EXPECT_THAT(response.body, HasSubstr(R"("field":"Publish-Id")"));
  }
  EXPECT_EQ(post_to_a("x", numbered(longest + "n/1")).status, 400);
  EXPECT_EQ(post_to_a("x", numbered(longest + "/1")).status, 204);
  for (const std::string value :
       {"", "\"\"", "\"a", "a b", "\"a\"b", "\"a\\", "\"a\";p=1", "a, b"}) {
    const TestResponse response = post_to_a("x", keyed(value));
    EXPECT_EQ(response.status, 400) << value;
    EXPECT_THAT(response.body, HasSubstr(R"("field":"Idempotency-Key")"));
  }
  EXPECT_EQ(post_to_a("x", keyed(longest + "n")).status, 400);
  EXPECT_EQ(post_to_a("x", keyed(longest)).status, 204);
  EXPECT_EQ(post_to_a("x", keyed("k") + numbered("shop/1")).status, 400) << "which of them?";
  EXPECT_EQ(post_to_a("x", keyed(R"("a \"b\" \\")")).status, 204);
  EXPECT_EQ(post_to_a("x", keyed(R"("a \"b\" \\")")).status, 204);
  EXPECT_EQ(sum(&ShardMetrics::events_published), 3U);
}

TEST_P(ServerRepeat, ANameMayBeOfBothKinds) {
  start();
  EXPECT_EQ(post_to_a("x", numbered("k/1")).status, 204);
  EXPECT_EQ(post_to_a("y", keyed("k/1")).status, 204);
  EXPECT_EQ(post_to_a("z", keyed("k")).status, 204);
  TestClient client = connect();
  const std::string get =
      "GET /publish?stream=a&msg=w HTTP/1.1\r\nHost: h\r\n" + keyed("g") + "\r\n";
  EXPECT_EQ(client.request(get).header("Event-ID"), client.request(get).header("Event-ID"));
  EXPECT_THAT(data_of_a(), ElementsAre("x", "y", "z", "w"));
}

// Two shards, any number of connections, one event.
TEST_P(ServerRepeat, OfManyAtOnceOneIsPublished) {
  options.shards = 2;
  start();
  std::vector<std::jthread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([this] {
      TestClient client = connect();
      std::string ids;
      for (int n = 1; n <= 100; ++n) {
        const std::string data = std::to_string(n);
        EXPECT_EQ(client.request(post("stream=a", data, keyed("k" + data))).status, 204);
      }
    });
  }
  threads.clear();
  EXPECT_EQ(sum(&ShardMetrics::events_published), 100U);
  EXPECT_EQ(sum(&ShardMetrics::repeats), 300U);
}

TEST_P(ServerRepeat, AKeyIsThatOfWhoPublishes) {
  TestAccess rights;
  const std::string shop = rights.add_key("shop", {"*"}, {"*"});
  const std::string news = rights.add_key("news", {"*"}, {"*"});
  access = rights.make();
  start();
  const std::string token = token_for(R"(["*"])", R"(["*"])", R"(,"sub":"u1","exp":99999999999)");
  const std::string other = token_for(R"(["*"])", R"(["*"])", R"(,"sub":"u2","exp":99999999999)");
  const std::string newer = token_for(R"(["*"])", R"(["*"])", R"(,"sub":"u1","exp":99999999998)");
  const std::string nobody = token_for(R"(["*"])", R"(["*"])");
  const std::string nobody2 = token_for(R"(["*"])", R"(["*"])", R"(,"exp":99999999998)");
  std::vector<std::string> ids;
  for (const std::string& who : {shop, news, token, other, nobody, nobody2}) {
    const TestResponse first = post_to_a("x", keyed("k") + bearer(who));
    EXPECT_EQ(first.status, 204);
    EXPECT_EQ(std::ranges::count(ids, first.header("Event-ID")), 0) << "it is another's";
    ids.push_back(first.header("Event-ID"));
    EXPECT_EQ(post_to_a("x", keyed("k") + bearer(who)).header("Event-ID"), ids.back());
  }
  EXPECT_EQ(post_to_a("x", keyed("k") + bearer(newer)).header("Event-ID"), ids[2])
      << "a new token of the same subject";
}

// --- an id that is kept

TEST_P(ServerRepeat, AnEventWithTheSameIdIsThereOnce) {
  start();
  TestClient client = connect();
  for (int i = 0; i < 2; ++i) {
    const TestResponse response = client.request(post("stream=a&id=order-7", "x"));
    EXPECT_EQ(response.status, 204);
    EXPECT_EQ(response.header("Event-ID"), "order-7");
  }
  const std::string batch = R"([{"data":"1","id":"b-1"},{"data":"2","id":"b-2"}])";
  const TestResponse first = post_to_a(batch, kJson);
  EXPECT_EQ(first.status, 200);
  EXPECT_EQ(post_to_a(batch, kJson).body, first.body);
  EXPECT_EQ(client.request(post("stream=a&id=order-7", "y")).status, 204) << "has changed";
  EXPECT_THAT(data_of_a(), ElementsAre("x", "1", "2", "y"));
}

TEST_P(ServerRepeat, AnIdMayBeThatOfManyEventsIfThatIsWanted) {
  options.ids_once = false;
  start();
  for (int i = 0; i < 2; ++i) (void)publish("stream=a&id=order-7", "x");
  EXPECT_THAT(data_of_a(), ElementsAre("x", "x"));
}

// --- a store that answers later

class ServerRepeatLater : public StoreTest {};
INSTANTIATE_TEST_SUITE_P(Server, ServerRepeatLater, testing::ValuesIn(ServerTest::kBackends),
                         ServerTest::backend_name);

TEST_P(ServerRepeatLater, ARepetitionIsAnsweredAfterTheFirst) {
  start();
  TestClient first = connect();
  TestClient again = connect();
  first.send(post("stream=a", "x", keyed("k")));
  held().wait_held(1);
  again.send(post("stream=a", "x", keyed("k")) + post("stream=a", "y", keyed("k")) +
             post("stream=a", "z", numbered("n/2")));
  held().wait_held(4);
  expect_silent(again);
  for (int i = 0; i < 4; ++i) held().commit();
  EXPECT_EQ(first.response().header("Event-ID"), id(1));
  EXPECT_EQ(again.response().header("Event-ID"), id(1));
  EXPECT_EQ(again.response().status, 422);
  const TestResponse hole = again.response();
  EXPECT_EQ(hole.status, 409);
  EXPECT_THAT(hole.body, HasSubstr(R"("expected":1)"));
  EXPECT_EQ(sum(&ShardMetrics::events_published), 1U);
  EXPECT_EQ(sum(&ShardMetrics::repeats), 1U);
}

// It follows the first one, and is not given to the store.
TEST_P(ServerRepeatLater, AnIdThatIsOnItsWayIsGivenOnce) {
  start();
  TestClient first = connect();
  TestClient again = connect();
  first.send(post("stream=a&id=own", "x"));
  held().wait_held(1);
  again.send(post("stream=a&id=own", "x") + post("stream=a&id=own", "y"));
  held().wait_held(2);
  expect_silent(again);
  held().commit();
  EXPECT_EQ(first.response().header("Event-ID"), "own");
  EXPECT_EQ(again.response().header("Event-ID"), "own");
  held().commit();
  EXPECT_EQ(again.response().header("Event-ID"), "own");
  EXPECT_EQ(sum(&ShardMetrics::events_published), 2U);
  EXPECT_EQ(metric("tocsin_publishes_pending"), 0);
  EXPECT_EQ(metric("tocsin_pending_bytes"), 0);
}

TEST_P(ServerRepeatLater, WhoFollowsIsToldTheSame) {
  start();
  TestClient first = connect();
  TestClient again = connect();
  for (const bool refused : {true, false}) {
    first.send(post("stream=a&id=own", "x"));
    held().wait_held(1);
    again.send(post("stream=a&id=own", "x") + post("stream=a&id=own", "x"));
    ASSERT_TRUE(eventually([&] { return metric("tocsin_publishes_pending") == 3; }));
    refused ? held().refuse() : held().lose();
    for (TestClient* client : {&first, &again, &again}) {
      const TestResponse response = client->response();
      refused ? expect_unavailable(response) : expect_unknown(response);
    }
  }
  EXPECT_EQ(held().held(), 0U);
}

}  // namespace
}  // namespace tocsin::net
