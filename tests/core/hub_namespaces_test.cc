// Settings of topics by their names: which count, and how they change under topics that are there.
#include <cstdint>
#include <map>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/core/hub_fixture.h"

namespace tocsin::core {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

class HubNamespaces : public HubTest {
 protected:
  static HubSettings with(std::vector<Namespace> namespaces) {
    HubSettings settings;
    settings.namespaces = std::move(namespaces);
    return settings;
  }
  // As a server does, in slices.
  void reconfigure(const HubSettings& settings, std::size_t slice = 2) {
    hub().reconfigure(settings);
    while (hub().renew_namespaces(slice)) {
    }
  }
  std::expected<Published, PublishError> try_publish(std::string_view topic,
                                                     std::string_view data) {
    const std::string body = body_of(data);
    const NewEvent event{.topic = topic, .id = {}, .body = body};
    return hub().publish({&event, 1}, now_);
  }
  std::size_t kept(std::string_view topic) {
    Subscription at = earliest({topic});
    return read_all(at).sequences().size();
  }
  NamespaceCounts counts(const std::string& name) {
    NamespaceCounts sum;
    for (const auto& [counted, one] : hub().namespace_counts()) {
      if (counted == name) sum += one;
    }
    return sum;
  }
};

TEST_F(HubNamespaces, TheFirstThatMatchesCounts) {
  make_hub(with({{.match = "chat/1", .settings = {.history_count = 1}},
                 {.match = "chat/*", .settings = {.history_count = 2}},
                 {.match = "*", .settings = {.history_count = 3}}}));
  for (const char* topic : {"chat/1", "chat/10", "news"}) {
    for (int i = 0; i < 5; ++i) publish(topic, "x");
  }
  EXPECT_EQ(kept("chat/1"), 1U);
  EXPECT_EQ(kept("chat/10"), 2U);
  EXPECT_EQ(kept("news"), 3U);
}

TEST_F(HubNamespaces, ReadersAreCountedWhereTheirTopicIs) {
  make_hub(with({{.name = "chat", .match = "chat/*"}}));
  const Subscription both = live({"chat/1", "news"}, 0);
  const Subscription one = live({"chat/1"}, 1);
  EXPECT_EQ(counts("chat").readers, 2U);
  EXPECT_EQ(counts("other").readers, 1U);
  hub().reconfigure(with({{.name = "first", .match = "chat/1"}, {.name = "n", .match = "news"}}));
  hub().drop_reader(one.topics);  // before its turn
  while (hub().renew_namespaces(1)) {
  }
  EXPECT_EQ(counts("chat").readers, 0U);
  EXPECT_EQ(counts("first").readers, 1U);
  EXPECT_EQ(counts("n").readers, 1U);
  EXPECT_EQ(counts("other").readers, 0U);
  // Those of a topic that was removed are there until they have ended.
  (void)hub().remove("chat/1");
  EXPECT_EQ(counts("first").readers, 1U);
  reconfigure(with({}));
  EXPECT_EQ(counts("other").readers, 2U);
  hub().drop_reader(both.topics);
  EXPECT_EQ(counts("other").readers, 0U);
}

TEST_F(HubNamespaces, WhatNoneMatchesIsAsTheHub) {
  HubSettings settings = with({{.match = "chat/*", .settings = {.history_count = 2}}});
  settings.history.count = 4;
  make_hub(settings);
  for (int i = 0; i < 5; ++i) publish("news", "x");
  EXPECT_EQ(kept("news"), 4U);
}

TEST_F(HubNamespaces, ATopicsOwnSettingsComeBeforeItsNamespacesAndTheseBeforeTheHubs) {
  HubSettings settings = with({{.match = "a*",
                                .settings = {.history_count = 2,
                                             .backlog_bytes = 7,
                                             .slow_policy = SlowPolicy::latest}}});
  settings.history = {.count = 5, .age_ms = 1000, .bytes = limits::kMiB};
  make_hub(settings);
  EXPECT_TRUE(hub().create("aa", {.history_count = 3}, now_));
  for (int i = 0; i < 6; ++i) publish("aa", "x");
  EXPECT_EQ(kept("aa"), 3U) << "its own";
  Subscription reader = live({"aa"});
  EXPECT_EQ(hub().slow_rule(reader.topics).bytes, 7U) << "its namespace's";
  EXPECT_EQ(hub().slow_rule(reader.topics).policy, SlowPolicy::latest);
  now_ += 2000;
  EXPECT_EQ(kept("aa"), 0U) << "the hub's";
}

TEST_F(HubNamespaces, EverySettingIsTaken) {
  make_hub(with({{.match = "aged", .settings = {.history_age_ms = 10}},
                 {.match = "narrow", .settings = {.history_bytes = 1}},
                 {.match = "replayed", .settings = {.auto_replay = true}},
                 {.match = "small", .settings = {.max_event_bytes = 60}},
                 {.match = "wrapped", .settings = {.data = {.envelope = true}}},
                 {.match = "binary", .settings = {.data = {.base64 = true}}}}));
  publish("aged", "x");
  publish("narrow", "x");
  now_ += 20;
  EXPECT_EQ(kept("aged"), 0U);
  EXPECT_EQ(kept("narrow"), 0U);
  const Sequence only = publish("replayed", "x");
  Subscription fresh = live({"replayed"});
  EXPECT_THAT(read_all(fresh).sequences(), ElementsAre(only));
  // Before the topics are there, too.
  const std::string large(60, 'x');
  EXPECT_EQ(try_publish("small", large).error(), PublishError::too_large);
  EXPECT_EQ(hub().max_event_bytes("small"), 60U);
  EXPECT_TRUE(try_publish("other", large).has_value());
  EXPECT_TRUE(hub().data_form("wrapped").envelope);
  EXPECT_TRUE(hub().data_form("binary").base64);
  EXPECT_FALSE(hub().data_form("binary").envelope);
  EXPECT_FALSE(hub().data_form("other").changes_data());
  // What the topic's own settings leave as it is holds on.
  EXPECT_TRUE(hub().create("wrapped", {.data = {.base64 = true}}, now_));
  EXPECT_TRUE(hub().data_form("wrapped").envelope && hub().data_form("wrapped").base64);
}

TEST_F(HubNamespaces, AnEnvelopeMayBeForAPrefix) {
  HubSettings settings;
  settings.envelope_topics = {"news/*", "one"};
  make_hub(settings);
  EXPECT_TRUE(settings.changes_data());
  EXPECT_TRUE(hub().data_form("news/1").envelope);
  EXPECT_TRUE(hub().data_form("one").envelope);
  EXPECT_FALSE(hub().data_form("one/1").envelope);
}

TEST_F(HubNamespaces, AStreamsOwnTopicIsInNone) {
  make_hub(with({{.match = "*",
                  .settings = {.slow_policy = SlowPolicy::latest,
                               .max_event_bytes = 10,
                               .data = {.envelope = true}}}}));
  const TopicCursor at = hub().subscribe_direct(0, now_);
  EXPECT_TRUE(try_publish(at.topic->name, std::string(100, 'x')).has_value());
  EXPECT_FALSE(hub().data_form(at.topic->name).changes_data());
  EXPECT_EQ(hub().slow_rule({&at, 1}).policy, SlowPolicy::disconnect);
  reconfigure(with({{.match = "\x1f*", .settings = {.max_event_bytes = 1}}}));
  EXPECT_TRUE(try_publish(at.topic->name, std::string(100, 'x')).has_value());
  sweep(0);
}

TEST_F(HubNamespaces, AChangeReachesEveryTopicThatIsThere) {
  make_hub(with({{.match = "a*", .settings = {.history_count = 3}},
                 {.match = "b*", .settings = {.history_count = 1}}}));
  for (int topic = 0; topic < 9; ++topic) {
    for (int i = 0; i < 5; ++i) publish("a" + std::to_string(topic), "x");
  }
  EXPECT_TRUE(hub().create("a0", {.history_count = 4}, now_));
  reconfigure(with({{.match = "a1", .settings = {.history_count = 2}},
                    {.match = "a*", .settings = {.history_count = 1}}}));
  EXPECT_EQ(kept("a0"), 4U) << "its own";
  EXPECT_EQ(kept("a1"), 2U);
  for (int topic = 2; topic < 9; ++topic) EXPECT_EQ(kept("a" + std::to_string(topic)), 1U);
  reconfigure({});
  EXPECT_EQ(kept("a8"), 5U) << "none: as the hub; nothing was trimmed yet";
}

// What happens while the walk over the topics is under way: some go, some come, some are removed
// with readers, and the next change comes before it is over.
TEST_F(HubNamespaces, TopicsMayComeAndGoDuringAChange) {
  const auto all = [](std::size_t count) {
    return with({{.match = "*", .settings = {.backlog_bytes = count, .max_event_bytes = count}}});
  };
  for (int seed = 0; seed < 200; ++seed) {
    make_hub(all(1000));
    std::map<std::string, Subscription> readers;
    std::uint32_t random = static_cast<std::uint32_t>(seed) * 2654435761U + 1;
    const auto next = [&random](std::uint32_t bound) {
      random = random * 1664525U + 1013904223U;
      return (random >> 8) % bound;
    };
    const auto name = [](std::uint32_t i) { return "t" + std::to_string(i); };
    for (std::uint32_t i = 0; i < 20; ++i) publish(name(i), "x");
    std::size_t bound = 1000;
    hub().reconfigure(all(++bound));
    for (int step = 0; step < 30; ++step) {
      const std::string topic = name(next(40));
      switch (next(5)) {
        case 0:
          publish(topic, "x");
          break;
        case 1:
          (void)hub().remove(topic);
          break;
        case 2:
          if (readers.size() < 3) readers.emplace(std::to_string(step), live({topic}));
          break;
        case 3:
          (void)hub().renew_namespaces(1 + next(4));
          break;
        default:
          if (next(4) == 0) hub().reconfigure(all(++bound));
      }
    }
    while (hub().renew_namespaces(3)) {
    }
    // Whoever reads a topic that was removed has the settings of a namespace that is there.
    for (const auto& [key, reader] : readers) {
      ASSERT_EQ(hub().slow_rule(reader.topics).bytes, bound) << "seed " << seed;
    }
    for (std::uint32_t i = 0; i < 40; ++i) {
      ASSERT_EQ(hub().max_event_bytes(name(i)), bound) << "seed " << seed << ", " << name(i);
    }
  }
}

TEST_F(HubNamespaces, WithNothingToRenewThereIsNoMore) {
  EXPECT_FALSE(hub().renew_namespaces(1));
  reconfigure(with({{.match = "a"}}));
  EXPECT_FALSE(hub().renew_namespaces(1)) << "a hub without topics";
  hub().reconfigure(with({{.match = "a"}}));
  EXPECT_FALSE(hub().renew_namespaces(1)) << "the same again";
}

TEST_F(HubNamespaces, CountsByNameAndNeverByTopic) {
  make_hub(with({{.name = "chat", .match = "chat/*", .settings = {.max_event_bytes = 100}},
                 {.name = "rest", .match = "a"},
                 {.name = "rest", .match = "b"}}));
  live({"chat/1", "a"});
  publish("chat/1", "x");
  publish("chat/2", "x");
  publish("a", "x");
  publish("b", "x");
  publish("c", "x");
  EXPECT_EQ(try_publish("chat/1", std::string(200, 'x')).error(), PublishError::too_large);
  hub().count_refusal("chat/3");
  EXPECT_EQ(counts("chat").events, 2U);
  EXPECT_EQ(counts("chat").subscriptions, 1U);
  EXPECT_EQ(counts("chat").refusals, 2U);
  EXPECT_EQ(counts("rest").events, 2U);
  EXPECT_EQ(counts("rest").subscriptions, 1U);
  EXPECT_EQ(counts("other").events, 1U);
  EXPECT_EQ(counts("chat").bytes + counts("rest").bytes + counts("other").bytes,
            hub().encoded_bytes());
}

TEST_F(HubNamespaces, CountsGoOnUnderTheSameName) {
  make_hub(with({{.name = "one", .match = "a"}, {.name = "two", .match = "b"}}));
  for (const char* topic : {"a", "b", "c"}) publish(topic, "x");
  hub().reconfigure(with({{.name = "two", .match = "b*"}}));
  publish("b", "x");
  EXPECT_EQ(counts("two").events, 2U) << "in the middle of the change";
  while (hub().renew_namespaces(1)) {
  }
  publish("b2", "x");
  EXPECT_EQ(counts("two").events, 3U);
  EXPECT_EQ(counts("other").events, 1U);
  publish("a", "x");
  EXPECT_EQ(counts("other").events, 2U);
  EXPECT_THAT(hub().namespace_counts(), SizeIs(2));
}

// The note of where it belongs lies in what was padding.
TEST_F(HubNamespaces, CostATopicNoByte) {
  struct WithoutNamespace {
    std::string name;
    TopicLog log{0};
    ShardSet subscribers;
    ShardSet dirty;
    TimeMs last_used;
    std::uint32_t index;
    bool declared;
    bool removed;
    std::unique_ptr<const TopicSettings> settings;
  };
  EXPECT_EQ(sizeof(Topic), sizeof(WithoutNamespace));
}

}  // namespace
}  // namespace tocsin::core
