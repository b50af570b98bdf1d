// A hub and a store that does not answer at once, or not as one would like.
#include <gmock/gmock.h>

#include "tests/core/hub_fixture.h"

namespace tocsin::core {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using Outcome = StoreAnswer::Outcome;

// Says what the test has it say, and keeps what it was given.
class ToldStore final : public Store {
 public:
  struct State {
    StoreAnswer answer;
    std::vector<Batch> appended;
    std::vector<Ticket> tickets;
  };
  explicit ToldStore(State& state) : state_(state) {}

  [[nodiscard]] Journal beginning() const override { return Journal(Epochs(kEpoch)); }
  [[nodiscard]] StoreAnswer append(std::span<const NewEvent> events, Ticket ticket,
                                   const PublishKey*) override {
    state_.appended.emplace_back(events);
    state_.tickets.push_back(ticket);
    return state_.answer;
  }

 private:
  State& state_;
};

class HubStoreTest : public HubTest {
 protected:
  HubStoreTest() { make_hub_over(std::make_unique<ToldStore>(store_)); }
  std::expected<Published, PublishError> try_publish(std::string_view topic,
                                                     std::string_view id = {}, Ticket ticket = 0) {
    const NewEvent events[] = {{.topic = topic, .id = id, .body = "data: x\n"},
                               {.topic = topic, .id = {}, .body = "data: y\n"}};
    return hub().publish(events, now_, nullptr, ticket);
  }
  static StoreAnswer committed(Sequence first, Sequence last) {
    return {.outcome = Outcome::committed,
            .place = {.epoch = kEpoch, .first = first, .last = last}};
  }

  ToldStore::State store_;
};

// I12: a batch that the store has yet to commit is nowhere, whatever else happens.
TEST_F(HubStoreTest, WhatIsPendingIsNowhere) {
  Subscription at = live({"a"}, 1);
  const auto published = try_publish("a", {}, 17);
  ASSERT_TRUE(published);
  EXPECT_TRUE(published->pending());
  EXPECT_THAT(store_.tickets, ElementsAre(17));
  EXPECT_EQ(hub().last_sequence(), 0U);
  EXPECT_FALSE(hub().has_news(1));
  EXPECT_THAT(read_all(at).sequences(), IsEmpty());
  EXPECT_TRUE(try_publish("new", {}, 18));
  EXPECT_FALSE(hub().exists("new"));

  const ShardSet wake =
      hub().apply({.epoch = kEpoch, .first = 1, .last = 2}, store_.appended.front().events(), now_);
  EXPECT_EQ(wake, ShardSet{1});
  EXPECT_THAT(read_all(at).sequences(), ElementsAre(1, 2));
}

TEST_F(HubStoreTest, AStoreThatOrdersAtOnceIsAppliedAtOnce) {
  Subscription at = live({"a"}, 1);
  store_.answer = committed(1, 2);
  const auto published = try_publish("a");
  ASSERT_TRUE(published);
  EXPECT_FALSE(published->pending());
  EXPECT_EQ(published->first, 1U);
  EXPECT_EQ(published->last, 2U);
  EXPECT_EQ(published->epoch, kEpoch);
  EXPECT_EQ(published->wake, ShardSet{1});
  EXPECT_THAT(read_all(at).sequences(), ElementsAre(1, 2));
}

// I14: refused is nowhere.
TEST_F(HubStoreTest, WhatTheStoreRefusesIsNowhere) {
  store_.answer = {.outcome = Outcome::refused};
  const auto published = try_publish("a");
  ASSERT_FALSE(published);
  EXPECT_EQ(published.error(), PublishError::unavailable);
  EXPECT_EQ(hub().last_sequence(), 0U);
  EXPECT_EQ(hub().topics(), 0U);
}

TEST_F(HubStoreTest, WhatTheHubRefusesTheStoreNeverSees) {
  EXPECT_EQ(try_publish("a", own_id(1)).error(), PublishError::reserved_id);
  EXPECT_THAT(store_.tickets, IsEmpty());
}

using HubStoreDeathTest = HubStoreTest;

// I13, I14: who answers at once gives the next place, of all of the batch, in the hub's epoch, and
// knows what it says.
TEST_F(HubStoreDeathTest, AnAnswerAtOnceIsWholeAndTrue) {
  for (const StoreAnswer& wrong : {committed(2, 3), committed(1, 1), committed(1, 3),
                                   StoreAnswer{.outcome = Outcome::unknown}}) {
    store_.answer = wrong;
    EXPECT_DEATH((void)try_publish("a"), "assertion failed") << wrong.place.first;
  }
}

}  // namespace
}  // namespace tocsin::core
