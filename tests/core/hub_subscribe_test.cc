// subscribe(): where a subscriber begins, and when it is told that something is missing.
#include <gmock/gmock.h>

#include "tests/core/hub_fixture.h"

namespace tocsin::core {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class HubSubscribeTest : public HubTest {
 protected:
  void keep(std::size_t count) {
    HubSettings settings;
    settings.history.count = count;
    make_hub(settings);
  }
  void publish_to(Topics topics) {
    for (const std::string_view topic : topics) publish(topic, "x");
  }
  std::vector<Sequence> read(Subscription at) { return read_all(at).sequences(); }
};

TEST_F(HubSubscribeTest, LiveBeginsAtTheEnd) {
  publish_to({"a", "a"});
  const Subscription at = live({"a"});
  EXPECT_EQ(at.cursor, 2U);
  EXPECT_FALSE(at.gap);
  EXPECT_THAT(read(at), IsEmpty());
  publish_to({"b", "a"});
  EXPECT_THAT(read(at), ElementsAre(4));
}

TEST_F(HubSubscribeTest, EarliestIsAllThatHistoryKeeps) {
  keep(2);
  publish_to({"a", "b", "a", "a", "b"});
  EXPECT_THAT(read(earliest({"a"})), ElementsAre(3, 4));
  EXPECT_THAT(read(earliest({"b"})), ElementsAre(2, 5));
  EXPECT_THAT(read(earliest({"a", "b"})), ElementsAre(2, 3, 4, 5));
  EXPECT_FALSE(earliest({"a", "b"}).gap) << "nobody asked for more";
  EXPECT_THAT(read(earliest({"new"})), IsEmpty());
}

// Every position in a stream of one topic: exactly what is above it, or a gap and what is kept.
TEST_F(HubSubscribeTest, ResumesByTheHubsIdExactly) {
  keep(4);
  publish_to({"a", "a", "a", "a", "a", "a", "a", "a"});
  for (Sequence seen = 0; seen <= 8; ++seen) {
    const Subscription at = after({"a"}, own_id(seen));
    std::vector<Sequence> expected;
    for (Sequence next = std::max<Sequence>(seen, 4) + 1; next <= 8; ++next) {
      expected.push_back(next);
    }
    EXPECT_EQ(read(at), expected) << seen;
    EXPECT_EQ(at.gap.has_value(), seen < 4) << seen;
    if (at.gap) {
      EXPECT_EQ(at.gap, GapReason::expired);
    }
    EXPECT_EQ(at.cursor, std::max<Sequence>(seen, 4));
  }
}

TEST_F(HubSubscribeTest, AnIdOfAnotherTopicIsAPositionToo) {
  publish_to({"a", "b", "a", "b", "a"});
  const Subscription at = after({"a"}, own_id(2));
  EXPECT_FALSE(at.gap);
  EXPECT_THAT(read(at), ElementsAre(3, 5));
}

// What the topic lost before the client's position is not missing to it.
TEST_F(HubSubscribeTest, WhatWasLostBeforeThePositionIsNoGap) {
  keep(1);
  publish_to({"a", "a", "b", "b", "a"});
  EXPECT_FALSE(after({"a"}, own_id(2)).gap);
  EXPECT_FALSE(after({"a"}, own_id(3)).gap);
  EXPECT_EQ(after({"a"}, own_id(1)).gap, GapReason::expired);
  EXPECT_FALSE(after({"b"}, own_id(3)).gap);
  EXPECT_EQ(after({"b"}, own_id(2)).gap, GapReason::expired);
}

TEST_F(HubSubscribeTest, OneIdResumesManyTopics) {
  publish_to({"a", "b", "c", "a", "b", "c", "d"});
  for (Sequence seen = 0; seen <= 7; ++seen) {
    const Subscription at = after({"c", "a", "b"}, own_id(seen));
    EXPECT_FALSE(at.gap);
    std::vector<Sequence> expected;
    for (Sequence next = seen + 1; next <= 6; ++next) expected.push_back(next);
    EXPECT_EQ(read(at), expected) << seen;
  }
}

TEST_F(HubSubscribeTest, AGapInOneOfManyTopicsIsTold) {
  keep(2);
  publish_to({"quiet", "busy", "busy", "busy", "busy"});
  const Subscription gap = after({"quiet", "busy"}, own_id(0));
  EXPECT_EQ(gap.gap, GapReason::expired);
  EXPECT_THAT(read(gap), ElementsAre(1, 4, 5)) << "what is kept of every topic comes all the same";
  const Subscription fine = after({"quiet", "busy"}, own_id(3));
  EXPECT_FALSE(fine.gap);
  EXPECT_THAT(read(fine), ElementsAre(4, 5));
}

TEST_F(HubSubscribeTest, ResumesByThePublishersId) {
  publish("a", "1", "one");
  publish("b", "2");
  publish("a", "3", "three");
  publish("a", "4");
  EXPECT_THAT(read(after({"a"}, "one")), ElementsAre(3, 4));
  EXPECT_THAT(read(after({"a", "b"}, "one")), ElementsAre(2, 3, 4));
  EXPECT_THAT(read(after({"a"}, "three")), ElementsAre(4));
  EXPECT_FALSE(after({"a"}, "three").gap);
  EXPECT_EQ(after({"b"}, "one").gap, GapReason::unknown_id) << "an id of another topic";
}

// Clients send back what stands on the wire, or what they made of it (proto/sse/wire_id.h).
TEST_F(HubSubscribeTest, ResumesByAPublishersIdOutsideAsciiInEveryForm) {
  publish("a", "1", "caf\xC3\xA9");
  publish("a", "2", "\xE2\x82\xAC 100%");
  publish("a", "3");
  for (const char* form : {"caf%C3%A9", "caf%c3%a9", "caf\xC3\xA9", "caf\xE9"}) {
    EXPECT_THAT(read(after({"a"}, form)), ElementsAre(2, 3)) << form;
    EXPECT_FALSE(after({"a"}, form).gap) << form;
  }
  for (const char* form : {"%E2%82%AC 100%25", "\xE2\x82\xAC 100%"}) {
    EXPECT_THAT(read(after({"a"}, form)), ElementsAre(3)) << form;
  }
  for (const char* other : {"cafe", "caf%E9", "caf%25C3%25A9", "\xE2\x82\xAC 100%25"}) {
    EXPECT_EQ(after({"a"}, other).gap, GapReason::unknown_id) << other;
  }
  EXPECT_EQ(after({"a"}, std::string(limits::kMaxWireId + 1, '\xE9')).gap, GapReason::unknown_id);
}

// What can be read in two ways, and both are ids that are kept: the older one repeats.
TEST_F(HubSubscribeTest, OfTwoReadingsTheOlderEventCounts) {
  publish("a", "1", "\xC3\x83\xC2\xA9");  // the client that sends ISO-8859-1 sends C3 A9
  publish("a", "2", "\xC3\xA9");
  publish("a", "3");
  EXPECT_THAT(read(after({"a"}, "\xC3\xA9")), ElementsAre(2, 3));
  EXPECT_THAT(read(after({"a"}, "%C3%A9")), ElementsAre(3)) << "what stands on the wire is certain";
}

// A page is opened with one position, and its polyfill appends another at every reconnect.
TEST_F(HubSubscribeTest, OfSeveralPositionsTheNewestKnownCounts) {
  using Position = std::pair<Sequence, std::string>;
  keep(6);
  for (int i = 1; i <= 8; ++i) publish("a", "x", i == 5 ? "five" : "");
  const auto begins = [&](std::initializer_list<std::string_view> ids) {
    const Subscription at = after_any({"a"}, ids);
    EXPECT_FALSE(at.gap);
    EXPECT_EQ(read(at).size(), 8 - at.cursor);
    return Position{at.cursor, std::string{at.last_event_id}};
  };
  const std::string four = own_id(4);
  const std::string seven = own_id(7);
  const std::string future = own_id(9);
  EXPECT_EQ(begins({four, seven}), (Position{7, seven}));
  EXPECT_EQ(begins({seven, four}), (Position{7, seven}));
  EXPECT_EQ(begins({four, "five"}), (Position{5, "five"}));
  EXPECT_EQ(begins({"five", seven}), (Position{7, seven}));
  EXPECT_EQ(begins({four, "00000000-99", "nonsense", future}), (Position{4, four}))
      << "what the hub does not know is no position";
  const Subscription unknown = after_any({"a"}, {"nonsense", "00000000-99"});
  EXPECT_EQ(unknown.gap, GapReason::unknown_id);
  EXPECT_EQ(unknown.last_event_id, "00000000-99");
  const std::string none = own_id(0);
  const std::string one = own_id(1);
  const Subscription expired = after_any({"a"}, {one, none, "nonsense"});
  EXPECT_EQ(expired.gap, GapReason::expired);
  EXPECT_EQ(expired.last_event_id, one);
}

TEST_F(HubSubscribeTest, APublishersIdUsedTwiceRepeatsRatherThanLoses) {
  publish("a", "1", "same");
  publish("a", "2");
  publish("b", "3", "same");
  publish("a", "4", "same");
  publish("a", "5");
  EXPECT_THAT(read(after({"a"}, "same")), ElementsAre(2, 4, 5));
  EXPECT_THAT(read(after({"b", "a"}, "same")), ElementsAre(2, 3, 4, 5));
  EXPECT_FALSE(after({"b", "a"}, "same").gap);
}

TEST_F(HubSubscribeTest, APublishersIdBelowHistoryIsAGap) {
  keep(2);
  for (int i = 1; i <= 5; ++i) publish("a", "x", "own" + std::to_string(i));
  EXPECT_FALSE(after({"a"}, "own3").gap) << "the last one before what is kept";
  EXPECT_THAT(read(after({"a"}, "own3")), ElementsAre(4, 5));
  const Subscription at = after({"a"}, "own2");
  EXPECT_EQ(at.gap, GapReason::expired);
  EXPECT_THAT(read(at), ElementsAre(4, 5));
}

TEST_F(HubSubscribeTest, AnUnknownIdIsAGapAndThenAllThatIsKept) {
  keep(2);
  publish_to({"a", "a", "a"});
  for (const std::string& id :
       {std::string{"nonsense"}, std::string{}, own_id(1, kEpoch + 1), own_id(2, 0),
        std::string{"9f3c21ab-02"}, std::string{"9f3c21ab-99999999999999999999"}}) {
    const Subscription at = after({"a"}, id);
    EXPECT_EQ(at.gap, GapReason::unknown_id) << id;
    EXPECT_THAT(read(at), ElementsAre(2, 3)) << id;
  }
}

TEST_F(HubSubscribeTest, AnIdFromTheFutureIsUnknown) {
  publish_to({"a", "a"});
  EXPECT_FALSE(after({"a"}, own_id(2)).gap);
  for (const Sequence future : {Sequence{3}, ~Sequence{0}}) {
    const Subscription at = after({"a"}, own_id(future));
    EXPECT_EQ(at.gap, GapReason::unknown_id);
    EXPECT_THAT(read(at), ElementsAre(1, 2));
  }
}

TEST_F(HubSubscribeTest, ATopicNamedTwiceIsReadOnce) {
  const Subscription at = live({"a", "b", "a", "a"});
  ASSERT_EQ(at.topics.size(), 2U);
  publish_to({"a", "b"});
  EXPECT_THAT(read(at), ElementsAre(1, 2));
}

TEST_F(HubSubscribeTest, UnknownTopicsAreRefusedWhenTheyAreNotMadeByUse) {
  HubSettings settings;
  settings.auto_topics = false;
  settings.topics = {"a"};
  make_hub(settings);
  EXPECT_FALSE(try_subscribe({"b"}, {}));
  EXPECT_FALSE(try_subscribe({"a", "b"}, {}, 2)) << "all or none";
  publish("a", "x");
  EXPECT_FALSE(hub().has_news(2)) << "a refused subscriber reads nothing";
  EXPECT_TRUE(try_subscribe({"a"}, {}));
  EXPECT_EQ(hub().topics(), 1U);
}

TEST_F(HubSubscribeTest, TopicsAreMadeByUse) {
  live({"a", "b"});
  publish_to({"c", "a"});
  EXPECT_EQ(hub().topics(), 3U);
}

// The id in a gap frame is the cursor: who comes back with it is not told a second time.
TEST_F(HubSubscribeTest, WhoWasToldOfAGapResumesAfterIt) {
  keep(2);
  publish_to({"a", "a", "a", "a"});
  const Subscription told = after({"a"}, own_id(1));
  ASSERT_EQ(told.gap, GapReason::expired);
  const Subscription again = after({"a"}, own_id(told.cursor));
  EXPECT_FALSE(again.gap);
  EXPECT_THAT(read(again), ElementsAre(3, 4));
}

TEST_F(HubSubscribeTest, ReconfiguringNamesMoreTopicsAndKeepsTheOld) {
  HubSettings settings;
  settings.auto_topics = false;
  settings.topics = {"a"};
  make_hub(settings);
  publish("a", "x");
  settings.topics = {"b"};
  settings.history.count = 0;
  hub().reconfigure(settings);
  EXPECT_TRUE(try_subscribe({"b"}, {}));
  EXPECT_THAT(read(earliest({"a"})), IsEmpty()) << "the new limit holds at once";
  settings.auto_topics = true;
  settings.history.count = 10;
  hub().reconfigure(settings);
  EXPECT_THAT(read(earliest({"a"})), ElementsAre(1)) << "nothing was dropped yet";
  EXPECT_TRUE(try_subscribe({"c"}, {}));
}

// Random histories: every resume point of every set of topics against a list of all events.
TEST_F(HubSubscribeTest, EveryResumePointOfRandomStreams) {
  std::mt19937_64 random{test_seed()};
  const auto below = [&](std::size_t n) { return static_cast<std::size_t>(random() % n); };
  constexpr std::string_view kNames[] = {"a", "b", "c"};
  for (int round = 0; round < 30; ++round) {
    const std::size_t count = below(30);
    keep(count);
    std::vector<std::size_t> topic_of(1, 99);  // by sequence
    for (std::size_t n = below(60); n > 0; --n) {
      topic_of.push_back(below(3));
      publish(kNames[topic_of.back()], std::string(below(200), 'x'));
    }
    const std::size_t chosen = 1 + below(7);  // a set of topics as bits
    std::vector<std::string_view> names;
    Sequence floor[3] = {};
    for (std::size_t topic = 0; topic < 3; ++topic) {
      if ((chosen >> topic & 1) != 0) names.push_back(kNames[topic]);
      std::size_t kept = 0;
      for (Sequence s = topic_of.size() - 1; s > 0 && floor[topic] == 0; --s) {
        if (topic_of[s] == topic && ++kept > count) floor[topic] = s;
      }
    }
    for (Sequence seen = 0; seen < topic_of.size(); ++seen) {
      std::vector<Sequence> expected;
      bool lost = false;
      for (Sequence s = seen + 1; s < topic_of.size(); ++s) {
        if ((chosen >> topic_of[s] & 1) == 0) continue;
        if (s <= floor[topic_of[s]]) {
          lost = true;
        } else {
          expected.push_back(s);
        }
      }
      const std::string text = own_id(seen);
      const std::string_view id = text;
      auto at = hub().subscribe(names, {.kind = Resume::Kind::after_id, .ids = {&id, 1}}, 0, now_);
      ASSERT_TRUE(at);
      ASSERT_EQ(at->gap.has_value(), lost) << seen;
      ASSERT_EQ(read_all(*at, 1 + below(400), 1 + below(4)).sequences(), expected) << seen;
    }
  }
}

}  // namespace
}  // namespace tocsin::core
