// The three steps of publish() apart: what is submitted, what waits, and what happens meanwhile.
#include <gmock/gmock.h>

#include "tests/core/hub_fixture.h"

namespace tocsin::core {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class HubApplyTest : public HubTest {
 protected:
  HubApplyTest() { make_hub_over_journal({}); }
  void make_hub_over_journal(const HubSettings& settings) {
    make_hub_over(std::make_unique<JournalStore>(journal_), settings);
  }
  static NewEvent event(std::string_view topic, std::string_view id = {}) {
    return {.topic = topic, .id = id, .body = "data: x\n"};
  }
  static HubSettings only_named(std::vector<std::string> topics) {
    HubSettings settings;
    settings.auto_topics = false;
    settings.topics = std::move(topics);
    return settings;
  }
  std::optional<PublishError> submit(const Batch& batch) {
    std::size_t failed = 0;
    return hub().submit(batch.events(), failed);
  }
  // Gives the batch the next place. The shards to wake.
  ShardSet apply(const Batch& batch) {
    const Place place = journal_.next(batch.events().size());
    journal_.follow(place);
    return hub().apply(place, batch.events(), now_);
  }
  static Batch batch(std::initializer_list<NewEvent> events) {
    return Batch({events.begin(), events.size()});
  }

  Journal journal_{Epochs(kEpoch)};  // of the store
};

// I12: what was submitted is nowhere until it is applied.
TEST_F(HubApplyTest, ASubmittedBatchIsNowhereUntilItIsApplied) {
  Subscription at = live({"a"}, 1);
  const Batch waiting = batch({event("a"), event("new"), event("a", "own")});
  EXPECT_EQ(submit(waiting), std::nullopt);
  EXPECT_EQ(hub().last_sequence(), 0U);
  EXPECT_EQ(hub().topics(), 1U);
  EXPECT_FALSE(hub().has_news(1));
  EXPECT_THAT(read_all(at).sequences(), IsEmpty());
  EXPECT_EQ(after({"a"}, own_id(1)).gap, GapReason::unknown_id);

  publish("a", "comes first");
  EXPECT_EQ(apply(waiting), ShardSet{}) << "shard 1 has news already";
  EXPECT_THAT(read_all(at).sequences(), ElementsAre(1, 2, 4));
  EXPECT_TRUE(hub().exists("new"));
  EXPECT_THAT(read_all(at = after({"a"}, "own")).sequences(), IsEmpty());
}

TEST_F(HubApplyTest, SubmitRefusesAsPublishDoes) {
  HubSettings settings = only_named({"a"});
  settings.max_event_bytes = 100;
  make_hub_over_journal(settings);
  EXPECT_EQ(submit(batch({event("a"), event("b")})), PublishError::unknown_topic);
  EXPECT_EQ(submit(batch({event("a", own_id(9))})), PublishError::reserved_id);
  const std::string large = body_of_size(200);
  EXPECT_EQ(submit(batch({{.topic = "a", .id = {}, .body = large}})), PublishError::too_large);
  EXPECT_EQ(submit(batch({event("a")})), std::nullopt);
}

// What has happened is not refused: limits that changed since the batch was submitted are for the
// next one.
TEST_F(HubApplyTest, WhatIsOrderedIsAppliedWhateverTheLimitsAreNow) {
  const Batch waiting = batch({event("a"), event("a")});
  ASSERT_EQ(submit(waiting), std::nullopt);
  HubSettings settings = only_named({"a"});
  settings.max_event_bytes = 1;
  hub().reconfigure(settings);
  ASSERT_EQ(submit(waiting), PublishError::too_large);
  Subscription at = live({"a"});
  apply(waiting);
  EXPECT_THAT(read_all(at).sequences(), ElementsAre(1, 2));
}

// The sequence is taken, so there is no hole (I13); who resumes there later is told (I6).
TEST_F(HubApplyTest, AnEventWhoseTopicIsGoneTakesItsSequence) {
  make_hub_over_journal(only_named({"a", "b"}));
  const Batch waiting = batch({event("b"), event("a"), event("b", "own")});
  ASSERT_EQ(submit(waiting), std::nullopt);
  ASSERT_TRUE(hub().remove("b"));
  Subscription at = live({"a"});
  apply(waiting);
  EXPECT_EQ(hub().last_sequence(), 3U);
  EXPECT_EQ(hub().events_encoded(), 1U);
  EXPECT_THAT(read_all(at).sequences(), ElementsAre(2));
  EXPECT_FALSE(hub().exists("b"));

  ASSERT_TRUE(hub().create("b", {}, now_));
  EXPECT_EQ(after({"b"}, own_id(0)).gap, GapReason::expired);
  EXPECT_EQ(after({"b"}, own_id(2)).gap, GapReason::expired);
  EXPECT_FALSE(after({"b"}, own_id(3)).gap);
  EXPECT_EQ(publish("b", "x"), 4U);
}

TEST_F(HubApplyTest, ATopicThatFindsNoRoomAnyMoreIsPassedOver) {
  HubSettings settings;
  settings.max_topics = 1;
  make_hub_over_journal(settings);
  const Batch waiting = batch({event("late"), event("late")});
  ASSERT_EQ(submit(waiting), std::nullopt);
  publish("first", "x");
  apply(waiting);
  EXPECT_EQ(hub().topics(), 1U);
  EXPECT_EQ(hub().last_sequence(), 3U);
  EXPECT_EQ(publish("first", "y"), 4U);
}

// A stream's own log: its reader is gone, and nobody else can ask.
TEST_F(HubApplyTest, AnEventForAStreamThatEndedIsPassedOver) {
  const TopicCursor own = hub().subscribe_direct(0, now_);
  const std::string name = own.topic->name;
  const Batch waiting = batch({event(name)});
  ASSERT_EQ(submit(waiting), std::nullopt);
  leave(own, 0);
  EXPECT_EQ(apply(waiting), ShardSet{});
  EXPECT_EQ(hub().topics(), 0U) << "no topic of that name for ever";
  EXPECT_EQ(publish("a", "x"), 2U);
}

using HubApplyDeathTest = HubApplyTest;

// I13 where it counts: the hub takes no batch but the next one, whole.
TEST_F(HubApplyDeathTest, NoHoleAndNoPartOfABatch) {
  publish("a", "x");
  const Batch two = batch({event("a"), event("a")});
  const auto apply_at = [&](Sequence first, Sequence last) {
    (void)hub().apply({.epoch = kEpoch, .first = first, .last = last}, two.events(), now_);
  };
  EXPECT_DEATH(apply_at(3, 4), "assertion failed");
  EXPECT_DEATH(apply_at(1, 2), "assertion failed");
  EXPECT_DEATH(apply_at(2, 4), "assertion failed");
  EXPECT_DEATH(apply_at(2, 2), "assertion failed");
  apply_at(2, 3);
  EXPECT_EQ(hub().last_sequence(), 3U);
}

}  // namespace
}  // namespace tocsin::core
