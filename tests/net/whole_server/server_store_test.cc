// A store that answers later, behind the real server: what publishers are told, and when
// subscribers see it (I12 to I14).
#include <future>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "proto/limits.h"
#include "tests/net/support/store_fixture.h"

namespace tocsin::net {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using Outcome = core::StoreAnswer::Outcome;
using Reason = PublishFailure::Reason;

class ServerStore : public StoreTest {};
INSTANTIATE_TEST_SUITE_P(Server, ServerStore, testing::ValuesIn(ServerTest::kBackends),
                         ServerTest::backend_name);

// --- what a publisher is told

TEST_P(ServerStore, APublishIsVisibleAndAnsweredWhenItIsCommitted) {
  start();
  TestSubscriber reader = subscribe("/events?stream=a");
  TestClient client = connect();
  client.send(post("stream=a", "x"));
  held().wait_held(1);
  expect_silent(client);
  auto samples = metrics();
  EXPECT_EQ(samples.at("tocsin_publishes_pending"), 1);
  EXPECT_GT(samples.at("tocsin_pending_bytes"), 0);
  EXPECT_EQ(samples.at("tocsin_events_encoded_total"), 0);
  EXPECT_THAT(reader.events(), IsEmpty());

  held().commit();
  const TestResponse response = client.response();
  EXPECT_EQ(response.status, 204);
  EXPECT_EQ(response.header("Event-ID"), id(1));
  EXPECT_EQ(reader.wait_events(1).front().id, id(1));
  samples = metrics();
  EXPECT_EQ(samples.at("tocsin_publishes_pending"), 0);
  EXPECT_EQ(samples.at("tocsin_pending_bytes"), 0);
  EXPECT_EQ(samples.at("tocsin_store_answers_total{outcome=\"committed\"}"), 1);
  EXPECT_EQ(samples.at("tocsin_store_answer_seconds_count"), 1);
  EXPECT_GT(samples.at("tocsin_store_answer_seconds_sum"), 0);
  EXPECT_EQ(metric("tocsin_publishes_total"), 1);
}

// Requests of every kind on one connection, whose publishes the store takes in another order.
TEST_P(ServerStore, AnswersComeInTheOrderOfTheRequests) {
  start();
  TestSubscriber reader = subscribe("/events?stream=a");
  TestClient client = connect();
  client.send(post("stream=a", "x") + "GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n" +
              post("stream=a", R"([{"data":"y"},{"data":"z","id":"own"}])", kJson) +
              post("stream=a&retry=soon", "wrong") + post("stream=a", "refused") +
              "GET /publish?stream=a&msg=w HTTP/1.1\r\nHost: h\r\n\r\n"
              "GET /events?stream=a HTTP/1.1\r\nHost: h\r\n\r\n");
  held().wait_held(4);
  expect_silent(client);
  held().refuse(2);
  held().commit(1);
  held().commit(0);
  EXPECT_EQ(client.response().header("Event-ID"), id(3));
  EXPECT_EQ(client.response().status, 200);
  EXPECT_EQ(client.response().body,
            R"({"published":2,"first_id":")" + id(1) + R"(","last_id":"own"})" "\n");
  EXPECT_EQ(client.response().status, 400);
  expect_unavailable(client.response());
  expect_silent(client);
  held().commit();
  EXPECT_EQ(client.response().header("Event-ID"), id(4));
  EXPECT_THAT(client.read_until("id: " + id(4)), HasSubstr("text/event-stream"));
  EXPECT_EQ(reader.wait_data(4), (std::vector<std::string>{"y", "z", "x", "w"}));
}

// Who is told of an id can resume behind it at once.
TEST_P(ServerStore, AnAnswerWaitsUntilItsBatchIsHere) {
  start();
  TestClient client = connect();
  client.send(post("stream=a", "x"));
  HeldStore::Append append = held().take();
  const HeldStore::Stored& stored = held().order(std::move(append.batch));
  held().answer(append.ticket, {.outcome = Outcome::committed, .place = stored.place});
  EXPECT_EQ(get("/healthz").status, 200);
  expect_silent(client);
  held().tell(stored);
  const std::string given = client.response().header("Event-ID");
  EXPECT_EQ(given, id(1));
  TestSubscriber resumed = subscribe("/events?stream=a", "Last-Event-ID: " + given + "\r\n");
  TestClient next = connect();
  next.send(post("stream=a", "y"));
  held().commit();
  EXPECT_EQ(resumed.wait_data(1), (std::vector<std::string>{"y"}));
}

TEST_P(ServerStore, RefusedIsNowhere) {
  start();
  TestSubscriber reader = subscribe("/events?stream=a");
  TestClient client = connect();
  client.send(post("stream=a", "later") + post("stream=a", "beside"));
  held().refuse();
  expect_unavailable(client.response());
  held().commit();
  EXPECT_EQ(client.response().status, 204);
  held().refuse_appends(true);
  expect_unavailable(client.request(post("stream=a", "at once")));
  EXPECT_EQ(server().publish({.topic = "a", .data = "x"}).error().reason, Reason::unavailable);
  held().refuse_appends(false);
  client.send(post("stream=a", "again"));
  held().commit();
  EXPECT_EQ(client.response().status, 204);
  EXPECT_EQ(reader.wait_data(2), (std::vector<std::string>{"beside", "again"}));
  EXPECT_EQ(rejections(Rejection::unavailable), 2U);
  EXPECT_EQ(metrics().at("tocsin_store_answers_total{outcome=\"refused\"}"), 1);
}

// A lost answer is no refusal: the events may come yet.
TEST_P(ServerStore, WhatIsUnknownIsSaidToBe) {
  start();
  TestSubscriber reader = subscribe("/events?stream=a");
  TestClient client = connect();
  client.send(post("stream=a", "x"));
  HeldStore::Append append = held().take();
  held().answer(append.ticket, {.outcome = Outcome::unknown});
  expect_unknown(client.response());
  held().tell(held().order(std::move(append.batch)));
  brought = 1;
  EXPECT_EQ(reader.wait_data(1), (std::vector<std::string>{"x"}));
  held().answer(append.ticket, {.outcome = Outcome::committed});
  EXPECT_EQ(stale_answers(), 1U) << "nobody waits";
  EXPECT_EQ(rejections(Rejection::unknown), 1U);
  EXPECT_EQ(metrics().at("tocsin_store_answers_total{outcome=\"unknown\"}"), 1);
}

TEST_P(ServerStore, WhatComesAgainOrOutOfTurnIsCountedAndDropped) {
  start();
  TestSubscriber reader = subscribe("/events?stream=a");
  TestClient client = connect();
  client.send(post("stream=a", "1") + post("stream=a", "2"));
  HeldStore::Append first = held().take();
  HeldStore::Append second = held().take();
  const HeldStore::Stored& one = held().order(std::move(first.batch));
  const HeldStore::Stored& two = held().order(std::move(second.batch));
  held().tell(two);
  EXPECT_EQ(stale_batches(), 1U) << "one is missing before it";
  for (int i = 0; i < 2; ++i) {
    held().answer(second.ticket, {.outcome = Outcome::committed, .place = two.place});
  }
  EXPECT_EQ(stale_answers(), 1U);
  expect_silent(client);
  held().tell(one);
  held().tell(two);
  held().tell(one);
  EXPECT_EQ(stale_batches(), 2U);
  held().answer(first.ticket, {.outcome = Outcome::committed, .place = one.place});
  held().answer(second.ticket, {.outcome = Outcome::refused});
  EXPECT_EQ(stale_answers(), 2U);
  EXPECT_EQ(client.response().header("Event-ID"), id(1));
  EXPECT_EQ(client.response().header("Event-ID"), id(2));
  EXPECT_EQ(reader.wait_data(2), (std::vector<std::string>{"1", "2"}));
}

// --- bounds

TEST_P(ServerStore, AClientHasABoundedNumberOfThem) {
  start();
  TestClient client = connect();
  constexpr std::size_t kMost = limits::kMaxPendingAnswers;
  std::string requests;
  for (std::size_t i = 0; i < kMost + 3; ++i) requests += post("stream=a", std::to_string(i));
  client.send(requests);
  held().wait_held(kMost);
  EXPECT_EQ(get("/healthz").status, 200);
  EXPECT_EQ(held().held(), kMost);
  for (std::size_t i = 0; i < kMost + 3; ++i) {
    held().commit();
    EXPECT_EQ(client.response().header("Event-ID"), id(i + 1));
  }
}

TEST_P(ServerStore, WhatIsPendingHasABound) {
  start();
  const std::string large(1'000'000, 'x');
  const std::vector<proto::EventView> batch(7, {.topic = "a", .data = large});
  std::vector<std::future<PublishOutcome>> told;
  for (std::size_t i = 0; i <= limits::kMaxPendingPublishes / (7 * large.size()); ++i) {
    std::promise<PublishOutcome> promise;
    told.push_back(promise.get_future());
    server().publish(batch, [p = std::move(promise)](PublishOutcome outcome) mutable {
      p.set_value(std::move(outcome));
    });
  }
  EXPECT_EQ(held().held(), told.size());
  TestClient client = connect();
  expect_unavailable(client.request(post("stream=b", "x")));
  std::promise<Reason> refused;
  server().publish(batch,
                   [&](PublishOutcome outcome) { refused.set_value(outcome.error().reason); });
  EXPECT_EQ(refused.get_future().get(), Reason::unavailable);
  held().commit();
  client.send(post("stream=b", "x"));
  for (std::size_t i = 0; i < told.size(); ++i) held().commit();
  EXPECT_EQ(client.response().status, 204);
  for (auto& one : told) EXPECT_TRUE(one.get().has_value());
}

// --- who leaves, and the end

TEST_P(ServerStore, WhoLeavesIsNotWaitedForAndHasPublished) {
  start();
  TestSubscriber reader = subscribe("/events?stream=a");
  TestClient client = connect();
  client.send(post("stream=a", "left") + post("stream=a", "unknown"));
  held().wait_held(2);
  client.reset();
  EXPECT_TRUE(eventually([&] { return sum(&ShardMetrics::requests_open) == 0; }));
  held().commit();
  held().lose();
  EXPECT_EQ(reader.wait_data(1), (std::vector<std::string>{"left"}));
  EXPECT_TRUE(eventually([&] { return sum(&ShardMetrics::stale_answers) == 2; }));
  EXPECT_EQ(metrics().at("tocsin_publishes_pending"), 0);
}

TEST_P(ServerStore, TheLastAnswerEndsItsConnection) {
  start();
  const std::string old = "POST /publish?stream=a HTTP/1.0\r\nContent-Length: 1\r\n\r\nx";
  for (const std::string& request : {old, post("stream=a", "x", "Connection: close\r\n")}) {
    TestClient client = connect();
    client.send(request);
    held().wait_held(1);
    expect_silent(client);
    held().commit();
    EXPECT_THAT(client.read_to_end(), HasSubstr(" 204 "));
  }
  TestClient half = connect();
  half.send(post("stream=a", "x"));
  held().wait_held(1);
  half.half_close();
  held().commit();
  EXPECT_THAT(half.read_to_end(), HasSubstr(" 204 "));
}

TEST_P(ServerStore, ADrainWaitsForTheStore) {
  options.drain_timeout_s = 60;
  start();
  TestClient client = connect();
  client.send(post("stream=a", "x"));
  std::future<PublishOutcome> own = publish_in_process("y");
  held().wait_held(2);
  server().drain();
  std::future<void> ended = std::async(std::launch::async, [this] { server().wait(); });
  held().commit();
  held().commit();
  EXPECT_EQ(client.response().status, 204);
  EXPECT_TRUE(own.get().has_value());
  ended.get();
  EXPECT_EQ(server().publish({.topic = "a", .data = "z"}).error().reason, Reason::closed);
}

// A publish of the program itself, when all connections are gone.
TEST_P(ServerStore, ADrainWaitsForTheProgram) {
  options.drain_timeout_s = 60;
  start();
  std::future<PublishOutcome> own = publish_in_process("y");
  held().wait_held(1);
  server().drain();
  const std::uint64_t turns = sum(&ShardMetrics::loops);
  EXPECT_TRUE(eventually([&] { return sum(&ShardMetrics::loops) > turns + 8; }));
  EXPECT_FALSE(server().ended());
  held().commit();
  EXPECT_TRUE(own.get().has_value());
  EXPECT_TRUE(eventually([&] { return server().ended(); }));
}

TEST_P(ServerStore, ADrainDoesNotWaitForEver) {
  options.drain_timeout_s = 0;
  start();
  TestClient client = connect();
  client.send(post("stream=a", "x"));
  std::future<PublishOutcome> own = publish_in_process("y");
  HeldStore::Append append = held().take();
  held().wait_held(1);
  server().drain();
  expect_unknown(client.response());
  EXPECT_EQ(own.get().error().reason, Reason::unknown);
  EXPECT_TRUE(held().answer(append.ticket, {.outcome = Outcome::refused}));
  EXPECT_EQ(stale_answers(), 1U);
  server().wait();
  EXPECT_FALSE(held().answer(append.ticket, {.outcome = Outcome::refused})) << "it was stopped";
}

TEST_P(ServerStore, AStopEndsWhoWaits) {
  start();
  std::future<PublishOutcome> own = publish_in_process("x");
  std::promise<Reason> told;
  held().wait_held(1);
  const proto::EventView event{.topic = "a", .data = "y"};
  server().publish({&event, 1}, [&](PublishOutcome outcome) {
    told.set_value(outcome.error().reason);
  });
  server().stop();
  EXPECT_EQ(own.get().error().reason, Reason::unknown);
  EXPECT_EQ(told.get_future().get(), Reason::unknown);
  EXPECT_EQ(server().publish(event).error().reason, Reason::closed);
}

// --- a history that forks under the hub

TEST_P(ServerStore, AForkEndsNoStreamAndNoPosition) {
  constexpr proto::Epoch kNext = HeldStore::kEpoch + 1;
  start();
  TestSubscriber reader = subscribe("/events?stream=a");
  publish_one("before");
  ASSERT_TRUE(held().fork(kNext));
  EXPECT_EQ(publish_one("after"), proto::to_string({kNext, 2}));
  const auto& events = reader.wait_events(2);
  EXPECT_EQ(events[0].id, id(1));
  EXPECT_EQ(events[1].id, proto::to_string({kNext, 2}));
  TestSubscriber back = subscribe("/events?stream=a", "Last-Event-ID: " + id(1) + "\r\n");
  EXPECT_EQ(back.wait_data(1), (std::vector<std::string>{"after"}));
  TestSubscriber lost = subscribe("/events?stream=a", "Last-Event-ID: " + id(2) + "\r\n");
  EXPECT_EQ(lost.wait_events(1).front().type, "gap") << "that event is not in this history";
  TestSubscriber fresh = subscribe("/events?stream=a");
  fresh.wait_until([&] { return fresh.parser().last_event_id() == proto::to_string({kNext, 2}); });
  EXPECT_EQ(metrics().at("tocsin_store_forks_total"), 1);
}

// Who was told that its batch is committed, in a part of the history that is gone now.
TEST_P(ServerStore, WhatWasCommittedAndIsNotHereBehindAForkIsAnswered) {
  start();
  TestClient client = connect();
  client.send(post("stream=a", "x"));
  const HeldStore::Append append = held().take();
  held().answer(append.ticket, {.outcome = Outcome::committed,
                                .place = {.epoch = HeldStore::kEpoch, .first = 5, .last = 5}});
  expect_silent(client);
  ASSERT_TRUE(held().fork(HeldStore::kEpoch + 1));
  EXPECT_EQ(client.response().header("Event-ID"), id(5));
  --brought;  // it is nowhere here
}

TEST_P(ServerStore, AHistoryThatIsLostIsKnown) {
  start();
  EXPECT_FALSE(server().history_lost());
  held().lose_history();
  EXPECT_TRUE(server().history_lost());
  expect_unavailable(connect().request(post("stream=a", "x")));
}

}  // namespace
}  // namespace tocsin::net
