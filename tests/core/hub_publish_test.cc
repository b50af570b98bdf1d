// publish(): sequences, ids, what a batch guarantees, whom it wakes.
#include <cstdint>
#include <string>
#include <vector>

#include <gmock/gmock.h>

#include "tests/core/hub_fixture.h"

namespace tocsin::core {
namespace {

using ::testing::ElementsAre;

class HubPublishTest : public HubTest {
 protected:
  static NewEvent event(std::string_view topic, std::string_view id = {}) {
    return {.topic = topic, .id = id, .body = "data: x\n"};
  }
  auto publish_all(std::initializer_list<NewEvent> events, std::size_t* failed = nullptr) {
    return hub().publish({events.begin(), events.size()}, now_, failed);
  }
  ShardSet woken(std::initializer_list<NewEvent> events) {
    return publish_all(events).value().wake;
  }
};

TEST_F(HubPublishTest, SequencesAreDenseOverAllTopics) {
  EXPECT_EQ(hub().last_sequence(), 0U);
  EXPECT_EQ(publish("a", "1"), 1U);
  EXPECT_EQ(publish("b", "2"), 2U);
  const auto batch = publish_all({event("a"), event("c"), event("b", "own"), event("b")});
  ASSERT_TRUE(batch);
  EXPECT_EQ(batch->first, 3U);
  EXPECT_EQ(batch->last, 6U);
  EXPECT_EQ(publish("c", "7"), 7U);
  EXPECT_EQ(hub().last_sequence(), 7U);
  Subscription at = earliest({"a", "b", "c"});
  EXPECT_THAT(read_all(at).sequences(), ElementsAre(1, 2, 3, 4, 5, 6, 7));
}

TEST_F(HubPublishTest, ANewTopicCountsOnceHoweverItsEventsLie) {
  std::vector<NewEvent> events;
  for (std::size_t i = 0; i <= limits::kMaxNewTopics; ++i) {
    events.push_back(event(i % 2 == 0 ? "a" : "b"));
  }
  make_hub({.max_topics = 2});
  EXPECT_TRUE(hub().publish(events, now_));
  EXPECT_EQ(hub().topics(), 2U);

  events.push_back(event("c"));
  std::size_t failed = 0;
  EXPECT_EQ(hub().publish(events, now_, &failed).error(), PublishError::topic_limit);
  EXPECT_EQ(failed, events.size() - 1);
}

TEST_F(HubPublishTest, ABatchHasABoundOfNewTopics) {
  std::vector<std::string> names;
  for (std::size_t i = 0; i <= limits::kMaxNewTopics; ++i) names.push_back("t" + std::to_string(i));
  std::vector<NewEvent> events;
  for (const std::string& name : names) events.push_back(event(name));
  for (const std::string& name : names) events.push_back(event(name));
  std::size_t failed = 0;
  EXPECT_EQ(hub().publish(events, now_, &failed).error(), PublishError::too_many_new);
  EXPECT_EQ(failed, limits::kMaxNewTopics);
  EXPECT_EQ(hub().topics(), 0U);
  std::erase_if(events, [&](const NewEvent& one) { return one.topic == names.back(); });
  EXPECT_TRUE(hub().publish(events, now_));
}

TEST_F(HubPublishTest, PutsTheHubsIdBehindTheBody) {
  publish("a", "one");
  publish("a", "two");
  Subscription at = earliest({"a"});
  EXPECT_EQ(read_all(at).bytes(),
            "1a\r\ndata: one\nid: 9f3c21ab-1\n\n\r\n"
            "1a\r\ndata: two\nid: 9f3c21ab-2\n\n\r\n");
}

TEST_F(HubPublishTest, PutsThePublishersIdOnTheWire) {
  const std::string longest(limits::kMaxEventId, 'i');
  publish("a", "one", "order 17");
  publish("a", "two", longest);
  publish("a", "three", "00000000-1");  // an id of another hub is the publisher's own
  Subscription at = earliest({"a"});
  EXPECT_EQ(read_all(at).bytes(), frame_of("order 17", "one") + frame_of(longest, "two") +
                                      frame_of("00000000-1", "three"));
}

// HubSettings::ids_once.
class HubIdsOnce : public HubPublishTest {
 protected:
  HubIdsOnce() {
    HubSettings settings;
    settings.ids_once = true;
    make_hub(settings);
  }
  Published publish_events(std::initializer_list<NewEvent> events,
                           const PublishKey* key = nullptr) {
    return *hub().publish({events.begin(), events.size()}, now_, nullptr, 0, key);
  }
  static NewEvent event_of(std::string_view topic, std::string_view id,
                           std::string_view body = "data: x\n") {
    return {.topic = topic, .id = id, .body = body};
  }
};

TEST_F(HubIdsOnce, WhatIsTheSameAndKeptIsNotPublishedAgain) {
  const Published first = publish_events({event_of("a", "caf\xC3\xA9")});
  EXPECT_FALSE(first.repeated);
  const Published again = publish_events({event_of("a", "caf\xC3\xA9")});
  EXPECT_TRUE(again.repeated);
  EXPECT_EQ(static_cast<const Place&>(again), first);
  EXPECT_EQ(hub().events_encoded(), 1U);
  EXPECT_FALSE(publish_events({event_of("b", "caf\xC3\xA9")}).repeated) << "another topic";
  EXPECT_FALSE(publish_events({event_of("a", "")}).repeated);
  EXPECT_FALSE(publish_events({event_of("a", "")}).repeated) << "without an id of its own";
}

// As where the id is that of a thing.
TEST_F(HubIdsOnce, WhatHasChangedIsAnotherEvent) {
  for (const char* body : {"data: on\n", "data: off\n", "data: on\n"}) {
    EXPECT_FALSE(publish_events({event_of("a", "lamp", body)}).repeated);
  }
  EXPECT_TRUE(publish_events({event_of("a", "lamp", "data: on\n")}).repeated);
  EXPECT_EQ(hub().last_sequence(), 3U);
}

TEST_F(HubIdsOnce, ABatchIsRepeatedIfAllOfItIs) {
  publish_events({event_of("a", "1"), event_of("b", "2")});
  EXPECT_TRUE(publish_events({event_of("a", "1"), event_of("b", "2")}).repeated);
  EXPECT_FALSE(publish_events({event_of("a", "1"), event_of("b", "3")}).repeated);
  EXPECT_FALSE(publish_events({event_of("a", "1"), event_of("b", "")}).repeated);
}

TEST_F(HubIdsOnce, AKeyAloneSaysWhatIsRepeated) {
  publish_events({event_of("a", "1")});
  const PublishKey first{.number = 1};
  EXPECT_FALSE(publish_events({event_of("a", "1")}, &first).repeated);
  EXPECT_TRUE(publish_events({event_of("a", "1")}, &first).repeated);
  const PublishKey second{.number = 2};
  EXPECT_FALSE(publish_events({event_of("a", "1")}, &second).repeated);
  std::uint64_t expected = 0;
  const PublishKey fourth{.number = 4};
  const NewEvent event = event_of("a", "1");
  EXPECT_EQ(hub().publish({&event, 1}, now_, nullptr, 0, &fourth, &expected).error(),
            PublishError::hole);
  EXPECT_EQ(expected, 3U);
}

TEST_F(HubIdsOnce, WhatIsNoLongerKeptIsPublishedAgain) {
  HubSettings settings;
  settings.ids_once = true;
  settings.history.count = 0;
  settings.backlog = {.bytes = 0, .age_ms = 0};
  make_hub(settings);
  publish_events({event_of("a", "1")});
  ++now_;
  hub().maintain(now_);
  EXPECT_FALSE(publish_events({event_of("a", "1")}).repeated);
}

TEST_F(HubIdsOnce, OnlyIfItIsWanted) {
  make_hub({});
  publish_events({event_of("a", "1")});
  EXPECT_FALSE(publish_events({event_of("a", "1")}).repeated);
}

TEST_F(HubPublishTest, CarriesLargeEventsWhole) {
  const std::string large = body_of_size(3 * limits::kMaxPage);
  publish("a", "small");
  publish_body("a", large);
  publish("a", "small");
  Subscription at = earliest({"a"});
  EXPECT_EQ(read_all(at).bytes(), frame_of(own_id(1), "small") +
                                      chunked(large + "id: " + own_id(2) + "\n\n") +
                                      frame_of(own_id(3), "small"));
}

// I2: encoded once however many read it. I1: and all are given the same address.
TEST_F(HubPublishTest, EncodesOnceForAllReaders) {
  Subscription readers[] = {live({"a"}, 0), live({"a", "b"}, 1), live({"b", "a", "c"}, 2)};
  for (int i = 0; i < 100; ++i) publish("a", std::to_string(i));
  EXPECT_EQ(hub().events_encoded(), 100U);
  std::vector<ReadEvents> got;
  for (Subscription& reader : readers) got.push_back(read_all(reader));
  for (const ReadEvents& each : got) {
    ASSERT_EQ(each.pieces.size(), got[0].pieces.size());
    for (std::size_t i = 0; i < each.pieces.size(); ++i) {
      EXPECT_EQ(each.pieces[i].bytes().data(), got[0].pieces[i].bytes().data());
      EXPECT_EQ(each.pieces[i].bytes().size(), got[0].pieces[i].bytes().size());
    }
  }
  EXPECT_EQ(got[0].bytes().size(), hub().encoded_bytes());
}

// I1: bytes once handed out stay, while the log grows and even when the log lets go of them.
TEST_F(HubPublishTest, BytesNeverChangeOncePublished) {
  HubSettings settings;
  settings.history = {.count = 0, .age_ms = 0, .bytes = 0};
  settings.backlog = {.bytes = kNoLimit, .age_ms = 0};
  make_hub(settings);
  publish("a", "first");
  Subscription at = earliest({"a"});
  at.cursor = at.topics[0].from = 0;
  ReadEvents got;
  ASSERT_EQ(hub().read(at.topics, 0, kNoLimit, 1, got.pieces), ReadStatus::last);
  const char* const address = got.pieces[0].bytes().data();
  for (int i = 0; i < 10'000; ++i) publish("a", std::to_string(i));
  sweep(0);
  now_ += 1;
  hub().maintain(now_);  // the page of the first goes
  EXPECT_EQ(hub().read(at.topics, 0, kNoLimit, 1, got.pieces), ReadStatus::gap);
  EXPECT_EQ(got.pieces[0].bytes().data(), address);
  EXPECT_EQ(got.bytes(), frame_of(own_id(1), "first"));
}

TEST_F(HubPublishTest, RefusesIdsThatReadAsTheHubsOwn) {
  for (const std::string& id : {own_id(1), own_id(0), own_id(99), std::string{"earliest"}}) {
    std::size_t failed = 99;
    const auto result = publish_all({event("a"), event("b", "fine"), event("c", id)}, &failed);
    ASSERT_FALSE(result) << id;
    EXPECT_EQ(result.error(), PublishError::reserved_id);
    EXPECT_EQ(failed, 2U);
  }
  EXPECT_TRUE(publish_all({event("a", "9f3c21ab-01")})) << "not the hub's form";
  EXPECT_TRUE(publish_all({event("a", "9F3C21AB-1")})) << "not the hub's form";
  EXPECT_TRUE(publish_all({event("a", own_id(1, kEpoch + 1))})) << "another epoch";
}

TEST_F(HubPublishTest, ABatchIsAllOrNothing) {
  HubSettings settings;
  settings.auto_topics = false;
  settings.topics = {"a", "b"};
  make_hub(settings);
  Subscription at = live({"a", "b"}, 1);
  std::size_t failed = 99;
  const auto unknown = publish_all({event("a", "one"), event("b"), event("c")}, &failed);
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error(), PublishError::unknown_topic);
  EXPECT_EQ(failed, 2U);
  const auto reserved = publish_all({event("a"), event("b", own_id(3))}, &failed);
  ASSERT_FALSE(reserved);
  EXPECT_EQ(failed, 1U);
  EXPECT_FALSE(publish_all({event("c")})) << "without `failed`";
  EXPECT_EQ(hub().last_sequence(), 0U);
  EXPECT_EQ(hub().events_encoded(), 0U);
  EXPECT_EQ(hub().encoded_bytes(), 0U);
  EXPECT_EQ(hub().log_bytes(), 0U);
  EXPECT_EQ(hub().topics(), 2U);
  EXPECT_FALSE(hub().has_news(1));
  EXPECT_EQ(read_all(at).status, ReadStatus::end);
  EXPECT_EQ(after({"a"}, "one").gap, GapReason::unknown_id) << "not even the id is known";
}

// What is counted is the frame on the wire, not the page that it comes in; of the hub's ids, as if
// each were the longest.
TEST_F(HubPublishTest, AnEventsSizeIsThatOfItsFrame) {
  const NewEvent own = event("a", "order 17");
  ASSERT_TRUE(publish_all({own}));
  EXPECT_EQ(proto::chunk_size(frame_bytes(own)), hub().encoded_bytes());
  const NewEvent encoded = event("a", "100% caf\xC3\xA9");
  ASSERT_TRUE(publish_all({encoded}));
  EXPECT_EQ(proto::chunk_size(frame_bytes(own)) + proto::chunk_size(frame_bytes(encoded)),
            hub().encoded_bytes());
  const std::string longest_id = proto::to_string({kEpoch + 1, UINT64_MAX});
  const NewEvent longest = event("a", longest_id);
  EXPECT_EQ(longest.id.size(), proto::kMaxEventIdText);
  EXPECT_EQ(frame_bytes(event("a")), frame_bytes(longest));
}

TEST_F(HubPublishTest, RefusesEventsThatAreTooLarge) {
  HubSettings settings;
  settings.max_event_bytes = frame_bytes(event("a"));
  make_hub(settings);
  const std::string body = body_of("xy");
  const NewEvent large{.topic = "a", .id = {}, .body = body};
  std::size_t failed = 99;
  const auto refused = publish_all({event("a"), event("new"), large}, &failed);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error(), PublishError::too_large);
  EXPECT_EQ(failed, 2U);
  EXPECT_EQ(hub().topics(), 0U);
  EXPECT_TRUE(publish_all({event("a")})) << "the bound itself is allowed";
  settings.max_event_bytes += 1;
  hub().reconfigure(settings);
  EXPECT_TRUE(publish_all({large}));
  settings.max_event_bytes -= 1;
  hub().reconfigure(settings);
  EXPECT_FALSE(publish_all({large}));
}

TEST_F(HubPublishTest, ATopicHasItsOwnBoundForEvents) {
  const std::size_t usual = frame_bytes(event("a"));
  ASSERT_TRUE(hub().create("small", {.max_event_bytes = usual - 1}, now_));
  EXPECT_FALSE(publish_all({event("small")}));
  EXPECT_TRUE(publish_all({event("a")})) << "the others go by the hub's";
  HubSettings settings;
  settings.max_event_bytes = usual - 1;
  hub().reconfigure(settings);
  ASSERT_TRUE(hub().create("large", {.max_event_bytes = usual}, now_));
  ASSERT_TRUE(hub().create("same", {}, now_));
  EXPECT_TRUE(publish_all({event("large")}));
  EXPECT_FALSE(publish_all({event("same")}));
  EXPECT_FALSE(publish_all({event("a")}));
  EXPECT_EQ(hub().max_event_bytes("large"), usual);
  EXPECT_EQ(hub().max_event_bytes("never seen"), usual - 1);
}

TEST_F(HubPublishTest, ARefusedBatchMakesNoTopics) {
  EXPECT_FALSE(publish_all({event("new"), event("newer", "earliest")}));
  EXPECT_EQ(hub().topics(), 0U);
}

TEST_F(HubPublishTest, WakesExactlyTheShardsThatRead) {
  EXPECT_TRUE(woken({event("a")}).is_empty()) << "nobody reads";
  Subscription on_0 = live({"a"}, 0);
  Subscription on_2 = live({"a", "b"}, 2);
  EXPECT_TRUE(woken({event("c")}).is_empty());
  EXPECT_EQ(woken({event("b")}), (ShardSet{2}));
  EXPECT_TRUE(hub().has_news(2));
  EXPECT_FALSE(hub().has_news(0));
  EXPECT_EQ(woken({event("b"), event("a")}), (ShardSet{0})) << "shard 2 has work already";
  EXPECT_TRUE(woken({event("a"), event("b")}).is_empty());
}

TEST_F(HubPublishTest, WakesAgainOnceTheShardHasCollected) {
  live({"a"}, 1);
  EXPECT_EQ(woken({event("a"), event("a")}), (ShardSet{1}));
  collect(1);
  EXPECT_FALSE(hub().has_news(1));
  EXPECT_EQ(woken({event("a")}), (ShardSet{1})) << "news during the sweep";
  EXPECT_TRUE(woken({event("a")}).is_empty());
  hub().swept(1);
  EXPECT_TRUE(hub().has_news(1)) << "what came during the sweep is not swept with it";
  sweep(1);
  EXPECT_FALSE(hub().has_news(1));
}

TEST_F(HubPublishTest, CollectNamesEachTopicWithNewsOnce) {
  const Subscription at = live({"a", "b", "c"}, 1);
  live({"a"}, 0);
  for (int i = 0; i < 3; ++i) woken({event("c"), event("a"), event("c")});
  collect(1);
  EXPECT_THAT(collected_[1].topics, ElementsAre(at.topics[2].topic, at.topics[0].topic));
  EXPECT_EQ(collected_[1].cut, 9U);
  hub().swept(1);
  collect(1);
  EXPECT_TRUE(collected_[1].topics.empty());
  hub().swept(1);
  collect(0);
  EXPECT_THAT(collected_[0].topics, ElementsAre(at.topics[0].topic));
}

TEST_F(HubPublishTest, AShardThatLeftIsNeitherWokenNorGivenTheTopic) {
  Subscription at = live({"a", "b"}, 1);
  woken({event("a"), event("b")});
  leave(at.topics[0], 1);
  EXPECT_TRUE(woken({event("a")}).is_empty());
  collect(1);
  EXPECT_THAT(collected_[1].topics, ElementsAre(at.topics[1].topic));
  hub().swept(1);
  EXPECT_TRUE(woken({event("a")}).is_empty());
  EXPECT_EQ(woken({event("b")}), (ShardSet{1}));
}

TEST_F(HubPublishTest, AShardThatCameBackIsToldOnce) {
  Subscription at = live({"a"}, 1);
  woken({event("a")});
  leave(at.topics[0], 1);
  at = live({"a"}, 1);
  woken({event("a")});
  EXPECT_TRUE(hub().has_news(1));
  collect(1);
  EXPECT_THAT(collected_[1].topics, ElementsAre(at.topics[0].topic));
}

TEST_F(HubPublishTest, UsesTheLastShardToo) {
  make_hub({}, limits::kMaxShards);
  live({"a"}, 0);
  constexpr ShardId kLast = limits::kMaxShards - 1;
  live({"a"}, 63);
  live({"a"}, kLast);
  EXPECT_EQ(woken({event("a")}), (ShardSet{0, 63, kLast}));
  sweep(kLast);
  EXPECT_EQ(woken({event("a")}), (ShardSet{kLast}));
}

TEST_F(HubPublishTest, TheFirstCollectionMustBeFinishedBeforeTheNext) {
  live({"a"}, 1);
  publish("a", "x");
  collect(1);
  publish("a", "x");
  EXPECT_DEATH(collect(1), "sweep_since");
}

}  // namespace
}  // namespace tocsin::core
