// What the hub keeps and what it lets go: history, backlog window, cap, unswept events, topics.
#include <gmock/gmock.h>

#include "tests/core/hub_fixture.h"

namespace tocsin::core {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class HubRetentionTest : public HubTest {
 protected:
  static HubSettings history(std::size_t count, TimeMs age_ms, std::size_t bytes) {
    HubSettings settings;
    settings.history = {.count = count, .age_ms = age_ms, .bytes = bytes};
    settings.backlog = {.bytes = kNoLimit, .age_ms = 0};
    return settings;
  }
  static HubSettings nothing_kept() { return history(0, 0, 0); }
  std::vector<Sequence> kept(std::string_view topic) {
    Subscription at = earliest({topic}, 2);
    ReadEvents got = read_all(at);
    EXPECT_NE(got.status, ReadStatus::gap);
    sweep(2);
    leave(at.topics[0], 2);
    return got.sequences();
  }
  void publish_large(std::string_view topic) { publish_body(topic, body_of_size(kOwnPage)); }
};

TEST_F(HubRetentionTest, HistoryByCountIsExact) {
  for (std::size_t count = 0; count <= 200; ++count) {
    make_hub(history(count, kNoLimit, kNoLimit));
    for (Sequence n = 1; n <= 150; ++n) publish("a", "some text to fill a few pages");
    const auto got = kept("a");
    ASSERT_EQ(got.size(), std::min<std::size_t>(count, 150));
    if (!got.empty()) {
      ASSERT_EQ(got.back(), 150U);
    }
  }
}

TEST_F(HubRetentionTest, HistoryByAgeIsExactToTheMillisecond) {
  for (TimeMs age = 0; age <= 1100; age += 7) {
    make_hub(history(kNoLimit, age, kNoLimit));
    now_ = 5000;
    for (Sequence n = 1; n <= 100; ++n) {
      publish("a", "some text to fill a few pages");
      now_ += 10;
    }
    // Event n is now 10 * (101 - n) old.
    ASSERT_EQ(kept("a").size(), std::min<std::size_t>(age / 10, 100)) << age;
    now_ += 1;
    hub().maintain(now_);
    ASSERT_EQ(kept("a").size(), age == 0 ? 0 : std::min<std::size_t>((age - 1) / 10, 100)) << age;
  }
}

TEST_F(HubRetentionTest, HistoryByBytesIsExact) {
  const std::size_t size = frame_of(own_id(10), "some text to fill pages").size();
  for (std::size_t limit = 0; limit <= 40 * size; limit += size / 4 + 1) {
    make_hub(history(kNoLimit, kNoLimit, limit));
    for (Sequence n = 1; n <= 9; ++n) publish("b", "x");
    for (Sequence n = 10; n <= 60; ++n) publish("a", "some text to fill pages");
    ASSERT_EQ(kept("a").size(), limit / size) << limit;
  }
  make_hub(history(kNoLimit, kNoLimit, size));
  publish_large("a");
  EXPECT_THAT(kept("a"), IsEmpty()) << "an event above the limit is not kept at all";
}

TEST_F(HubRetentionTest, AnEventIsKeptWhileAllLimitsHold) {
  const std::size_t size = frame_of(own_id(1), "x").size();
  for (const auto& settings :
       {history(3, 1000, 1000), history(100, 25, 1000), history(100, 1000, 3 * size)}) {
    make_hub(settings);
    for (int i = 0; i < 9; ++i) {
      now_ += 10;
      publish("a", "x");
    }
    EXPECT_THAT(kept("a"), ElementsAre(7, 8, 9));
  }
}

TEST_F(HubRetentionTest, LimitsHoldForEachTopicAlone) {
  make_hub(history(2, kNoLimit, kNoLimit));
  for (const std::string_view topic : {"a", "b", "b", "b", "b", "a", "a"}) publish(topic, "x");
  EXPECT_THAT(kept("a"), ElementsAre(6, 7));
  EXPECT_THAT(kept("b"), ElementsAre(4, 5));
}

TEST_F(HubRetentionTest, MemoryFollowsHistory) {
  make_hub(history(10, kNoLimit, kNoLimit));
  for (int i = 0; i < 1000; ++i) {
    now_ += 1;
    publish_large("a");
  }
  EXPECT_LE(hub().log_bytes(), 11 * (kOwnPage + 100));
  EXPECT_GE(hub().log_bytes(), 10 * kOwnPage);
  make_hub(history(kNoLimit, 100, kNoLimit));
  for (int i = 0; i < 1000; ++i) publish_large("a");
  now_ += 100;
  hub().maintain(now_);
  EXPECT_GE(hub().log_bytes(), 1000 * kOwnPage) << "just not too old";
  now_ += 1;
  hub().maintain(now_);
  EXPECT_EQ(hub().log_bytes(), 0U);
}

TEST_F(HubRetentionTest, EndlessSettingsMeanForEver) {
  make_hub(history(~std::size_t{0}, ~TimeMs{0}, ~std::size_t{0}));
  publish("a", "x");
  now_ += 1'000'000;
  hub().maintain(now_);
  EXPECT_THAT(kept("a"), ElementsAre(1));
}

// The log keeps more than history for connections with an ordinary hiccup; who comes new (or
// back) sees history alone.
TEST_F(HubRetentionTest, TheBacklogWindowServesSlowReadersButNoResume) {
  HubSettings settings = history(1, kNoLimit, kNoLimit);
  settings.backlog = {.bytes = 1024 * 1024, .age_ms = 500};
  make_hub(settings);
  Subscription slow = live({"a"}, 0);
  for (int i = 0; i < 5; ++i) publish_large("a");
  sweep(0);
  hub().maintain(now_ + 500);
  EXPECT_THAT(kept("a"), ElementsAre(5));
  EXPECT_EQ(after({"a"}, own_id(2), 1).gap, GapReason::expired);
  Subscription copy = slow;
  EXPECT_THAT(read_all(copy).sequences(), ElementsAre(1, 2, 3, 4, 5));
  sweep(1);
  hub().maintain(now_ + 501);
  EXPECT_EQ(read_all(slow).status, ReadStatus::gap) << "too slow by age";
  slow.cursor = hub().skip_gap(slow.topics, slow.cursor, now_);
  EXPECT_THAT(read_all(slow).sequences(), ElementsAre(5));
}

TEST_F(HubRetentionTest, TheBacklogWindowIsBoundedInBytes) {
  HubSettings settings = nothing_kept();
  settings.backlog = {.bytes = 3 * kOwnPage, .age_ms = kNoLimit};
  make_hub(settings);
  Subscription slow = live({"a"}, 0);
  for (int i = 0; i < 20; ++i) {
    publish_large("a");
    sweep(0);
    EXPECT_LE(hub().log_bytes(), 4 * (kOwnPage + 100));
  }
  EXPECT_EQ(read_all(slow).status, ReadStatus::gap);
  slow.cursor = 17;
  EXPECT_THAT(read_all(slow).sequences(), ElementsAre(18, 19, 20));
}

TEST_F(HubRetentionTest, TheCapTakesTheOldestPageOfTheHub) {
  HubSettings settings = history(kNoLimit, kNoLimit, kNoLimit);
  settings.total_bytes = 4 * (kOwnPage + 100);
  make_hub(settings);
  for (const std::string_view topic : {"a", "b", "a", "b"}) publish_large(topic);
  EXPECT_THAT(kept("a"), ElementsAre(1, 3));
  publish_large("c");
  EXPECT_THAT(kept("a"), ElementsAre(3));
  EXPECT_THAT(kept("b"), ElementsAre(2, 4));
  publish_large("c");
  publish_large("c");
  EXPECT_THAT(kept("a"), IsEmpty());
  EXPECT_THAT(kept("b"), ElementsAre(4));
  EXPECT_THAT(kept("c"), ElementsAre(5, 6, 7));
  EXPECT_LE(hub().log_bytes(), settings.total_bytes);
  EXPECT_EQ(after({"a"}, own_id(1)).gap, GapReason::expired);
}

// A page that somebody has still to read must not keep the cap from the swept ones behind it.
TEST_F(HubRetentionTest, TheCapHoldsBehindAnUnsweptPage) {
  HubSettings settings = history(kNoLimit, kNoLimit, kNoLimit);
  settings.total_bytes = 4 * kOwnPage;
  make_hub(settings);
  live({"read"}, 0);
  for (int i = 0; i < 10; ++i) {
    publish("read", "x");  // all in the oldest page
    publish_large("unread");
    EXPECT_LE(hub().log_bytes(), settings.total_bytes + kOwnPage) << i;
    EXPECT_THAT(kept("read"), ::testing::SizeIs(static_cast<std::size_t>(i) + 1));
    sweep(0);
  }
}

// The memory that total_bytes allows is that of all pages, whoever keeps them.
TEST_F(HubRetentionTest, PinnedPagesAreAPartOfWhatTheHubMayTake) {
  HubSettings settings = history(kNoLimit, kNoLimit, kNoLimit);
  settings.total_bytes = 8 * (kOwnPage + 100);
  make_hub(settings);
  Subscription reader = live({"a"});
  std::vector<Pin> pins;
  for (int i = 0; i < 30; ++i) {
    publish_large("a");
    for (const Piece& piece : read_all(reader).pieces) pins.push_back(hub().pin(piece.page));
    sweep(0);
    EXPECT_LE(hub().log_bytes() + hub().pinned_bytes(), settings.total_bytes);
    EXPECT_LE(hub().pinned_bytes(), settings.total_bytes / limits::kPinnedShare);
  }
  EXPECT_EQ(std::ranges::count_if(pins, &Pin::gone), 30 - 8);
  EXPECT_THAT(kept("a"), ElementsAre(25, 26, 27, 28, 29, 30)) << "readers took a quarter of it";
  pins.clear();
  hub().maintain(now_);
  EXPECT_EQ(hub().pinned_bytes(), 0U);
}

TEST_F(HubRetentionTest, AfterReconfiguringTheSmallerLimitsHold) {
  make_hub(history(kNoLimit, kNoLimit, kNoLimit));
  for (int i = 0; i < 10; ++i) publish_large("a");
  HubSettings settings = history(kNoLimit, kNoLimit, kNoLimit);
  settings.total_bytes = 3 * (kOwnPage + 100);
  hub().reconfigure(settings);
  hub().maintain(now_);
  EXPECT_THAT(kept("a"), ElementsAre(8, 9, 10));
  settings.history.count = 1;
  hub().reconfigure(settings);
  EXPECT_THAT(kept("a"), ElementsAre(10));
}

// --- unswept events stay, whatever the limits say

// How far a shard has come with events 1 and 2 of a topic that it reads.
enum class SweepProgress : int {
  nothing,             // 1 and 2 are news
  collected_one,       // 1 is being swept, 2 is news
  collected_both,      // 1 and 2 are being swept
  swept_one,           // 2 is news
  swept_one_then_two,  // 2 is being swept
  swept_both,
};
constexpr int kProgresses = 6;

class UnsweptTest : public HubRetentionTest, public ::testing::WithParamInterface<int> {
 protected:
  void after_event_1(ShardId shard, SweepProgress progress) {
    if (progress == SweepProgress::collected_one) collect(shard);
    if (progress >= SweepProgress::swept_one) sweep(shard);
  }
  void after_event_2(ShardId shard, SweepProgress progress) {
    if (progress == SweepProgress::collected_both ||
        progress == SweepProgress::swept_one_then_two) {
      collect(shard);
    }
    if (progress == SweepProgress::swept_both) sweep(shard);
  }
  static Sequence swept(SweepProgress progress) {
    if (progress == SweepProgress::swept_both) return 2;
    return progress >= SweepProgress::swept_one ? 1 : 0;
  }
};

TEST_P(UnsweptTest, NothingUnsweptGoesAndAllElseDoes) {
  SweepProgress progress[3];
  for (int shard = 0, rest = GetParam(); shard < 3; ++shard, rest /= kProgresses) {
    progress[shard] = static_cast<SweepProgress>(rest % kProgresses);
  }
  for (const bool by_cap : {false, true}) {
    HubSettings settings = by_cap ? history(kNoLimit, kNoLimit, kNoLimit) : nothing_kept();
    settings.total_bytes = by_cap ? 0 : kNoLimit;
    make_hub(settings);
    Subscription readers[] = {live({"a"}, 0), live({"a"}, 1), live({"a"}, 2)};
    publish_large("a");
    for (ShardId shard = 0; shard < 3; ++shard) after_event_1(shard, progress[shard]);
    publish_large("a");
    for (ShardId shard = 0; shard < 3; ++shard) after_event_2(shard, progress[shard]);
    hub().maintain(now_ + 1);
    Sequence least = 2;
    for (ShardId shard = 0; shard < 3; ++shard) {
      const Sequence own = swept(progress[shard]);
      least = std::min(least, own);
      readers[shard].cursor = own;
    }
    EXPECT_EQ(hub().log_bytes() / kOwnPage, 2 - least);
    EXPECT_EQ(hub().unswept_bytes() / kOwnPage, 2 - least);
    for (Subscription& reader : readers) {
      const Sequence from = reader.cursor;
      EXPECT_EQ(read_all(reader).sequences().size(), 2 - from);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(AllStates, UnsweptTest,
                         ::testing::Range(0, kProgresses* kProgresses* kProgresses));

TEST_F(HubRetentionTest, AShardThatLeavesHoldsNothingBack) {
  make_hub(nothing_kept());
  const Subscription at = live({"a", "b"}, 0);
  publish_large("a");
  EXPECT_GT(hub().unswept_bytes(), 0U);
  leave(at.topics[0], 0);
  if (hub().has_news(0)) sweep(0);
  EXPECT_EQ(hub().unswept_bytes(), 0U);
  hub().maintain(now_ + 1);
  EXPECT_EQ(hub().log_bytes(), 0U);
}

TEST_F(HubRetentionTest, PublishersWaitForTheShardsAndNeverForReaders) {
  const std::string body = body_of_size(1024 * 1024);
  HubSettings settings = nothing_kept();
  settings.backlog.bytes = 4 * limits::kMaxUnswept;  // half of it is above the limit
  make_hub(settings);
  for (int i = 0; i < 100; ++i) publish_body("a", body);  // nobody reads: never busy
  Subscription slow = live({"a"}, 0);
  const NewEvent event{.topic = "a", .id = {}, .body = body};
  const Sequence before = hub().last_sequence();
  std::size_t taken = 0;
  while (taken < 100 && hub().publish({&event, 1}, now_)) ++taken;
  EXPECT_GE(taken * body.size(), limits::kMaxUnswept);
  EXPECT_LE((taken - 1) * body.size(), limits::kMaxUnswept);
  EXPECT_EQ(hub().publish({&event, 1}, now_).error(), PublishError::busy);
  EXPECT_EQ(hub().last_sequence(), before + taken) << "refused means not published";
  collect(0);
  EXPECT_EQ(hub().publish({&event, 1}, now_).error(), PublishError::busy) << "not swept yet";
  Subscription copy = slow;
  EXPECT_EQ(read_all(copy).sequences().size(), taken) << "all unswept events are there";
  hub().swept(0);
  now_ += 1;
  EXPECT_TRUE(hub().publish({&event, 1}, now_)) << "swept, though the reader has read nothing";
  EXPECT_EQ(read_all(slow).status, ReadStatus::gap);
}

// The hub's own lag must not use up what a slow connection is allowed.
TEST_F(HubRetentionTest, PublishersWaitAtHalfOfTheBacklogWindow) {
  HubSettings settings;
  settings.backlog.bytes = 8 * kOwnPage;
  make_hub(settings);
  live({"a"}, 0);
  const std::string body = body_of_size(kOwnPage);
  const NewEvent event{.topic = "a", .id = {}, .body = body};
  std::size_t taken = 0;
  while (taken < 100 && hub().publish({&event, 1}, now_)) ++taken;
  EXPECT_EQ(taken, 4U);
  EXPECT_TRUE(hub().overloaded());
  sweep(0);
  EXPECT_FALSE(hub().overloaded());
}

}  // namespace
}  // namespace tocsin::core
