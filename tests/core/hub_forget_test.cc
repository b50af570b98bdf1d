// Topics that nobody uses are forgotten; who comes back for one is told what it missed.
#include <gmock/gmock.h>

#include "tests/core/hub_fixture.h"

namespace tocsin::core {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class HubForgetTest : public HubTest {
 protected:
  static HubSettings settings() {
    HubSettings result;
    result.history = {.count = 5, .age_ms = 100, .bytes = kNoLimit};
    result.backlog = {.bytes = kNoLimit, .age_ms = 0};
    result.topic_idle_ms = 1000;
    result.topics = {"declared"};
    return result;
  }
  void SetUp() override { make_hub(settings()); }
  void pass(TimeMs ms) {
    now_ += ms;
    hub().maintain(now_);
  }
};

TEST_F(HubForgetTest, QuietTopicsGoAfterTheirTime) {
  publish("a", "x");
  EXPECT_EQ(hub().topics(), 2U);
  pass(999);
  EXPECT_EQ(hub().topics(), 2U);
  pass(1);
  EXPECT_EQ(hub().topics(), 1U) << "the declared one stays";
  EXPECT_EQ(hub().log_bytes(), 0U);
}

TEST_F(HubForgetTest, TopicsWithReadersOrHistoryStay) {
  Subscription at = live({"read"}, 1);
  publish("read", "x");
  sweep(1);
  HubSettings longer = settings();
  longer.history.age_ms = 10'000;
  hub().reconfigure(longer);
  publish("kept", "x");
  pass(5000);
  EXPECT_EQ(hub().topics(), 3U);
  Subscription early = earliest({"kept"}, 2);
  EXPECT_THAT(read_all(early).sequences(), ElementsAre(2));
  leave(early.topics[0], 2);
  pass(6000);
  EXPECT_EQ(hub().topics(), 2U);
  leave(at.topics[0], 1);
  pass(999);
  EXPECT_EQ(hub().topics(), 2U) << "a topic is in use until its last reader leaves";
  pass(1);
  EXPECT_EQ(hub().topics(), 1U);
}

TEST_F(HubForgetTest, AForgottenTopicComesBackWithAGapForOldIds) {
  publish("a", "1", "own");
  publish("b", "2");
  publish("a", "3");
  pass(5000);
  ASSERT_EQ(hub().topics(), 1U);
  EXPECT_EQ(after({"a"}, own_id(2)).gap, GapReason::expired);
  EXPECT_FALSE(after({"a"}, own_id(3)).gap) << "has seen all";
  EXPECT_EQ(after({"a"}, "own").gap, GapReason::unknown_id);
  Subscription early = earliest({"a"});
  EXPECT_FALSE(early.gap);
  EXPECT_THAT(read_all(early).sequences(), IsEmpty());
  Subscription at = live({"a"});
  publish("a", "4");
  EXPECT_THAT(read_all(at).sequences(), ElementsAre(4));
  EXPECT_THAT(read_all(early).sequences(), ElementsAre(4));
  Subscription resumed = after({"a"}, own_id(3));
  EXPECT_FALSE(resumed.gap);
  EXPECT_THAT(read_all(resumed).sequences(), ElementsAre(4));
}

TEST_F(HubForgetTest, WhatWasForgottenStaysKnownWhenForgottenAgain) {
  publish("a", "1");
  pass(5000);
  for (int i = 0; i < 3; ++i) {
    const Subscription at = after({"a"}, own_id(0), 1);
    EXPECT_EQ(at.gap, GapReason::expired);
    leave(at.topics[0], 1);
    pass(5000);  // forgotten without another event
    ASSERT_EQ(hub().topics(), 1U);
  }
}

// Its news still name the topic.
TEST_F(HubForgetTest, ATopicWithUncollectedNewsStaysUntilTheyAreCollected) {
  const Subscription at = live({"a"}, 1);
  publish("a", "x");
  leave(at.topics[0], 1);
  pass(5000);
  if (hub().has_news(1)) {
    EXPECT_EQ(hub().topics(), 2U);
    sweep(1);
    EXPECT_THAT(collected_[1].topics, IsEmpty());
  }
  pass(5000);
  EXPECT_EQ(hub().topics(), 1U);
}

// The bounded table may be wrong in one direction only: many forgotten topics, and no silence.
TEST_F(HubForgetTest, NoForgottenTopicIsSilentHoweverMany) {
  const auto name = [](int i) { return "topic-" + std::to_string(i); };
  for (int i = 0; i < 100'000; ++i) publish(name(i), "x");
  for (int i = 0; i < 100; ++i) pass(5000);
  ASSERT_EQ(hub().topics(), 1U);
  for (int i = 0; i < 100'000; i += 997) {
    const auto sequence = static_cast<Sequence>(i) + 1;
    EXPECT_EQ(after({name(i)}, own_id(sequence - 1)).gap, GapReason::expired) << i;
  }
  EXPECT_FALSE(after({"never seen"}, own_id(hub().last_sequence())).gap);
}

TEST_F(HubForgetTest, MaintainReachesEveryTopicInTurns) {
  for (int i = 0; i < 5000; ++i) publish("t" + std::to_string(i), "x");
  now_ += 5000;
  std::size_t before = hub().topics();
  for (int calls = 0; hub().topics() > 1 && calls < 10; ++calls) {
    hub().maintain(now_);
    EXPECT_LE(before - hub().topics(), 1024U) << "bounded work for a call";
    before = hub().topics();
  }
  EXPECT_EQ(hub().topics(), 1U);
  EXPECT_EQ(hub().log_bytes(), 0U);
}

TEST_F(HubForgetTest, TopicsThatStayKeepTheirPlaceWhenOthersGo) {
  std::vector<Subscription> kept_topics;
  for (int i = 0; i < 3000; ++i) {
    const std::string name = "t" + std::to_string(i);
    publish(name, "x");
    if (i % 3 == 0) kept_topics.push_back(live({name}, 1));
  }
  for (int i = 0; i < 20; ++i) pass(5000);
  EXPECT_EQ(hub().topics(), 1001U);
  for (Subscription& at : kept_topics) {
    const Sequence sequence = publish(at.topics[0].topic->name, "y");
    EXPECT_THAT(read_all(at).sequences(), ElementsAre(sequence));
  }
}

}  // namespace
}  // namespace tocsin::core
