// Topics that are made, given settings of their own, removed; and those of one stream alone.
#include <algorithm>
#include <iterator>
#include <random>
#include <set>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/own_events.h"
#include "tests/core/hub_fixture.h"

namespace tocsin::core {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

class HubTopics : public HubTest {
 protected:
  std::expected<Published, PublishError> try_publish(std::string_view topic) {
    const std::string body = body_of("x");
    const NewEvent event{.topic = topic, .id = {}, .body = body};
    return hub().publish({&event, 1}, now_);
  }
  const Collected& collected(ShardId shard = 0) {
    collect(shard);
    return collected_[shard];
  }
};

TEST_F(HubTopics, ACreatedTopicExistsWithoutUseAndIsNotForgotten) {
  make_hub({.topic_idle_ms = 10, .auto_topics = false});
  EXPECT_EQ(try_publish("a").error(), PublishError::unknown_topic);
  EXPECT_TRUE(hub().create("a", {}, now_));
  EXPECT_TRUE(hub().exists("a"));
  now_ += 1'000'000;
  hub().maintain(now_);
  EXPECT_TRUE(hub().exists("a"));
  EXPECT_TRUE(try_publish("a").has_value());
}

TEST_F(HubTopics, ItsHistoryIsItsOwn) {
  make_hub({.history = {.count = 100}});
  EXPECT_TRUE(hub().create("short", {.history_count = 2}, now_));
  EXPECT_TRUE(hub().create("brief", {.history_age_ms = 1000}, now_));
  for (const char* data : {"1", "2", "3"}) {
    publish("short", data);
    publish("brief", data);
    publish("other", data);
  }
  now_ += 2000;
  Subscription few = earliest({"short"});
  EXPECT_THAT(read_all(few).sequences(), ElementsAre(4, 7));
  Subscription none = earliest({"brief"});
  EXPECT_THAT(read_all(none).sequences(), IsEmpty());
  Subscription all = earliest({"other"});
  EXPECT_THAT(read_all(all).sequences(), ElementsAre(3, 6, 9));
}

TEST_F(HubTopics, AutoReplayIsForThoseWhoNameNoPosition) {
  EXPECT_TRUE(hub().create("replayed", {.auto_replay = true}, now_));
  const Sequence first = publish("replayed", "1");
  publish("plain", "2");
  const Sequence third = publish("replayed", "3");
  Subscription fresh = live({"replayed", "plain"});
  EXPECT_EQ(fresh.gap, std::nullopt);
  EXPECT_THAT(read_all(fresh).sequences(), ElementsAre(first, third));
  Subscription back = after({"replayed"}, own_id(first));
  EXPECT_THAT(read_all(back).sequences(), ElementsAre(third)) << "not the last one again";
}

TEST_F(HubTopics, ARemovedTopicTellsItsReadersAndLeavesItsNameFree) {
  Subscription reader = live({"a"}, 1);
  const Sequence last = publish("a", "last words");
  EXPECT_EQ(hub().remove("a"), (ShardSet{})) << "the shard was woken by the event already";
  EXPECT_EQ(hub().remove("a"), std::nullopt);
  EXPECT_FALSE(hub().exists("a"));
  publish("a", "of another topic");

  const Collected& news = collected(1);
  EXPECT_THAT(news.topics, ElementsAre(reader.topics[0].topic));
  EXPECT_THAT(news.removed, ElementsAre(reader.topics[0].topic));
  EXPECT_THAT(read_all(reader).sequences(), ElementsAre(last));
  hub().swept(1);
  leave(reader.topics[0], 1);

  Subscription old = after({"a"}, own_id(0));
  EXPECT_EQ(old.gap, GapReason::expired) << "what the removed one had is missing";
}

TEST_F(HubTopics, WithoutNewsARemovalWakesItsShards) {
  Subscription reader = live({"a"}, 2);
  EXPECT_EQ(hub().remove("a"), (ShardSet{2}));
  EXPECT_THAT(collected(2).removed, ElementsAre(reader.topics[0].topic));
  hub().swept(2);
  leave(reader.topics[0], 2);
  EXPECT_EQ(hub().remove("never was"), std::nullopt);
}

// The shard left before it heard of the removal: its list holds the last pointer.
TEST_F(HubTopics, ARemovedTopicLivesUntilNoListNamesIt) {
  Subscription reader = live({"a"}, 0);
  publish("a", "x");
  (void)hub().remove("a");
  leave(reader.topics[0], 0);
  EXPECT_GT(hub().log_bytes(), 0U);
  EXPECT_THAT(collected().topics, IsEmpty());
  EXPECT_EQ(hub().log_bytes(), 0U);
}

TEST_F(HubTopics, ADirectTopicIsReadFromItsBeginningAndGoesWithItsReader) {
  make_hub({.max_topics = 1, .auto_topics = true});
  publish("a", "1");
  Subscription stream = live({"a"});
  stream.topics.push_back(hub().subscribe_direct(0, now_));
  const std::string name = stream.topics[1].topic->name;
  EXPECT_EQ(hub().topics(), 2U) << "beyond max_topics";
  const Sequence second = publish(name, "2", "id-of-mine");
  const Sequence third = publish("a", "3");
  EXPECT_THAT(read_all(stream).sequences(), ElementsAre(second, third));
  sweep(0);

  leave(stream.topics[1], 0);
  EXPECT_EQ(hub().topics(), 1U);
  EXPECT_EQ(try_publish(name).error(), PublishError::unknown_topic);
  EXPECT_EQ(hub().topics(), 1U) << "it is not made by use";
}

TEST_F(HubTopics, ADirectTopicLeavesNoTrace) {
  // A bucket of forgotten topics that it touched would make up gaps for others.
  for (int i = 0; i < 200'000; ++i) {
    const TopicCursor at = hub().subscribe_direct(0, now_);
    if (i % 1000 == 0) publish(at.topic->name, "x");
    leave(at, 0);
    if (i % 1000 == 0) sweep(0);
  }
  EXPECT_EQ(hub().topics(), 0U);
  EXPECT_EQ(hub().log_bytes(), 0U);
  Subscription back = after({"a"}, own_id(0));
  EXPECT_EQ(back.gap, std::nullopt);
}

TEST_F(HubTopics, ADirectTopicIsNotNamedInAGap) {
  Subscription stream = live({"a"});
  stream.topics.push_back(hub().subscribe_direct(0, now_));
  std::string frame;
  append_gap_frame(frame, GapReason::slow, {}, stream.topics, {kEpoch, 1});
  EXPECT_THAT(frame, HasSubstr(R"("topics":["a"])"));
}

TEST_F(HubTopics, TheStrictestPolicyAndTheWidestBound) {
  make_hub({.backlog = {.bytes = 1000}, .slow_policy = SlowPolicy::disconnect});
  EXPECT_TRUE(hub().create("latest", {.slow_policy = SlowPolicy::latest}, now_));
  EXPECT_TRUE(
      hub().create("wide", {.backlog_bytes = 5000, .slow_policy = SlowPolicy::latest}, now_));
  const auto rule = [&](Topics topics) { return hub().slow_rule(live(topics).topics); };
  EXPECT_EQ(rule({"plain"}).policy, SlowPolicy::disconnect);
  EXPECT_EQ(rule({"latest"}).policy, SlowPolicy::latest);
  EXPECT_EQ(rule({"latest"}).bytes, 1000U);
  EXPECT_EQ(rule({"latest", "wide"}).policy, SlowPolicy::latest);
  EXPECT_EQ(rule({"latest", "wide"}).bytes, 5000U);
  EXPECT_EQ(rule({"latest", "plain"}).policy, SlowPolicy::disconnect);
}

TEST_F(HubTopics, Base64IsTheTopics) {
  EXPECT_TRUE(hub().create("binary", {.data = {.base64 = true}}, now_));
  EXPECT_TRUE(hub().data_form("binary").base64);
  EXPECT_FALSE(hub().data_form("binary").envelope);
  EXPECT_FALSE(hub().data_form("other").base64);
  EXPECT_TRUE(hub().create("binary", {}, now_)) << "settings may change";
  EXPECT_FALSE(hub().data_form("binary").base64);
}

// Hubs that have one history get each other's events, those of streams' own logs too.
TEST_F(HubTopics, NoOtherHubHasAStreamOfThatName) {
  const auto name_of = [this](const HashKey& key) {
    Hub one(kEpoch, 1, {}, key);
    return one.subscribe_direct(0, now_).topic->name;
  };
  EXPECT_NE(name_of(HashKey{1}), name_of(HashKey{2}));
}

// --- what there is, for people

TEST_F(HubTopics, ATopicSaysWhatItKeepsAndWhoReads) {
  HubSettings settings;
  settings.history = {.count = 2, .age_ms = 1'000'000, .bytes = limits::kMiB};
  settings.namespaces = {{.name = "all of a", .match = "a*"}};
  make_hub(settings);
  EXPECT_FALSE(hub().facts_of("a"));
  const Subscription one = live({"a", "b"}, 0);
  const Subscription two = live({"a"}, 0);
  const Subscription three = live({"a"}, 1);
  publish("a", "12345");
  auto facts = hub().facts_of("a").value();
  EXPECT_EQ(facts.name, "a");
  EXPECT_EQ(facts.space, "all of a");
  EXPECT_EQ(facts.events, 1U);
  EXPECT_EQ(facts.bytes, frame_of(own_id(1), "12345").size());
  EXPECT_EQ(facts.readers, 3U);
  EXPECT_EQ(hub().facts_of("b")->readers, 1U);
  EXPECT_EQ(hub().facts_of("b")->space, NamespaceTable::kOther);
  EXPECT_EQ(hub().facts_of("b")->events, 0U);
  hub().drop_reader(two.topics);
  leave(three.topics[0], 1);
  EXPECT_EQ(hub().facts_of("a")->readers, 1U);
  // What went is not counted, whatever the log was before.
  for (int i = 0; i < 5; ++i) publish_body("a", body_of_size(kOwnPage));
  sweep(0);
  sweep(1);
  now_ += 1'000'000;
  hub().maintain(now_);
  facts = hub().facts_of("a").value();
  EXPECT_LT(facts.events, 6U);
  EXPECT_LT(facts.bytes, 6 * kOwnPage);
  // A topic of one stream alone is nobody else's business.
  const TopicCursor own = hub().subscribe_direct(0, now_);
  EXPECT_FALSE(hub().facts_of(own.topic->name));
}

TEST_F(HubTopics, AListHasEveryTopicThatWasThereAllTheTime) {
  std::mt19937_64 random(test_seed());
  std::set<std::string> always;
  std::set<std::string> others;
  for (int i = 0; i < 60; ++i) {
    const bool stays = i % 2 == 0;
    const std::string name = (stays ? "stays " : "goes ") + std::to_string(i);
    publish(name, "x");
    (stays ? always : others).insert(name);
  }
  (void)hub().subscribe_direct(0, now_);
  for (int round = 0; round < 50; ++round) {
    std::set<std::string> seen;
    for (std::size_t below = SIZE_MAX; below > 0;) {
      std::vector<Hub::TopicFacts> page;
      const std::size_t most = 1 + random() % 9;
      below = hub().list_topics(below, most, page);
      EXPECT_LE(page.size(), most);
      for (const Hub::TopicFacts& topic : page) seen.insert(topic.name);
      const std::string name = "new " + std::to_string(random() % 1000);
      publish(name, "x");
      others.insert(name);
      const auto goes = std::next(others.begin(), static_cast<std::ptrdiff_t>(
                                                      random() % others.size()));
      (void)hub().remove(*goes);
      others.erase(goes);
    }
    EXPECT_TRUE(std::ranges::includes(seen, always));
  }
}

}  // namespace
}  // namespace tocsin::core
