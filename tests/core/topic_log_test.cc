#include "core/topic_log.h"

#include <gmock/gmock.h>

#include "tests/core/hub_fixture.h"

namespace tocsin::core {
namespace {

constexpr HistoryLimits kNoHistory{.count = 0, .age_ms = 0, .bytes = 0};
constexpr HistoryLimits kAllHistory{.count = kNoLimit, .age_ms = kNoLimit, .bytes = kNoLimit};
constexpr BacklogLimits kNoBacklog{.bytes = 0, .age_ms = 0};

class TopicLogTest : public ::testing::Test {
 protected:
  void append(Sequence sequence, std::size_t size = 100, std::string_view id = {}) {
    const std::string text = id.empty() ? own_id(sequence) : std::string{id};
    log_.append(body_of_size(size), "id: " + text + "\n\n", !id.empty(), sequence, now_, pages_);
  }
  void trim(const HistoryLimits& history, Sequence swept) {
    log_.trim(history, kNoBacklog, swept, now_, pages_);
  }
  [[nodiscard]] ReadStatus read(Sequence after, std::size_t max_bytes = kNoLimit) {
    piece_ = {};
    return log_.read(after, max_bytes, piece_);
  }
  Sequence first() const { return piece_.page->sequence_of(piece_.first); }

  TimeMs now_ = 1000;
  PageList pages_;
  TopicLog log_{0};
  Piece piece_;
};

TEST_F(TopicLogTest, IsEmptyAtFirst) {
  EXPECT_TRUE(log_.empty());
  EXPECT_EQ(read(0), ReadStatus::end);
  EXPECT_EQ(log_.last_sequence(), 0U);
  EXPECT_EQ(log_.history_floor(kAllHistory, now_), 0U);
  EXPECT_EQ(log_.bytes_after(0), 0U);
  EXPECT_FALSE(log_.time_after(0));
  EXPECT_FALSE(log_.find("x"));
  trim(kNoHistory, 100);
}

TEST_F(TopicLogTest, StartsFromWhatWasForgotten) {
  TopicLog log{50};
  EXPECT_TRUE(log.empty());
  EXPECT_EQ(log.read(49, kNoLimit, piece_), ReadStatus::gap);
  EXPECT_EQ(log.read(50, kNoLimit, piece_), ReadStatus::end);
  EXPECT_EQ(log.history_floor(kAllHistory, now_), 50U);
  EXPECT_EQ(log.last_sequence(), 50U);
}

TEST_F(TopicLogTest, PagesDoubleUpToTheLargest) {
  std::vector<std::size_t> capacities;
  for (Sequence n = 1; n <= 3000; ++n) {
    append(n);
    ASSERT_NE(read(n - 1), ReadStatus::gap);
    if (capacities.empty() || capacities.back() != piece_.page->capacity()) {
      capacities.push_back(piece_.page->capacity());
    }
  }
  EXPECT_THAT(capacities, ::testing::ElementsAre(512, 1024, 2048, 4096, 8192, 16384, 32768, 65536));
}

TEST_F(TopicLogTest, AQuietTopicStartsSmallAgain) {
  for (Sequence n = 1; n <= 1000; ++n) append(n);
  trim(kNoHistory, 1000);
  EXPECT_TRUE(log_.empty());
  EXPECT_EQ(pages_.bytes(), 0U);
  append(1001);
  EXPECT_EQ(pages_.bytes(), limits::kMinPage);
}

TEST_F(TopicLogTest, AnEventAboveTheLargestPageGetsItsOwn) {
  append(1);
  append(2, 5 * limits::kMaxPage);
  append(3);
  ASSERT_EQ(read(1), ReadStatus::more);
  EXPECT_EQ(piece_.last - piece_.first, 1U);
  ASSERT_EQ(read(2), ReadStatus::last);
  EXPECT_LE(piece_.page->capacity(), limits::kMaxPage);
}

TEST_F(TopicLogTest, ReadsFromEverySequenceOverManyPages) {
  for (Sequence n = 1; n <= 500; ++n) append(2 * n);  // only even ones
  for (Sequence after = 0; after < 1000; ++after) {
    const ReadStatus status = read(after);
    ASSERT_TRUE(status == ReadStatus::more || status == ReadStatus::last);
    ASSERT_EQ(first(), after + 2 - after % 2);
    ASSERT_EQ(status == ReadStatus::last, piece_.last_sequence() == 1000);
  }
  EXPECT_EQ(read(1000), ReadStatus::end);
  EXPECT_EQ(read(5000), ReadStatus::end);
}

TEST_F(TopicLogTest, TellsOfAGapExactlyBelowWhatIsDropped) {
  for (Sequence n = 1; n <= 100; ++n) append(2 * n);
  log_.drop_oldest(pages_);
  const Sequence dropped = log_.dropped();
  ASSERT_GT(dropped, 2U);
  EXPECT_EQ(read(dropped - 1), ReadStatus::gap);
  EXPECT_EQ(read(0), ReadStatus::gap);
  EXPECT_EQ(read(dropped), ReadStatus::more);
  EXPECT_EQ(first(), dropped + 2);
  EXPECT_EQ(log_.history_floor(kAllHistory, now_), dropped);
}

TEST_F(TopicLogTest, DroppingEverythingLeavesAGap) {
  append(1);
  append(2);
  log_.drop_oldest(pages_);
  EXPECT_TRUE(log_.empty());
  EXPECT_EQ(read(1), ReadStatus::gap);
  EXPECT_EQ(read(2), ReadStatus::end);
  EXPECT_EQ(log_.last_sequence(), 2U);
}

// The list of pages is compacted now and then; the log must be the same before and after.
TEST_F(TopicLogTest, StaysReadableWhilePagesComeAndGo) {
  constexpr Sequence kWindow = 25;
  for (Sequence n = 1; n <= 2000; ++n) {
    append(n, 20'000);
    trim({.count = kWindow, .age_ms = kNoLimit, .bytes = kNoLimit}, n);
    const Sequence floor = n > kWindow ? n - kWindow : 0;
    ASSERT_EQ(log_.history_floor({kWindow, kNoLimit, kNoLimit}, now_), floor);
    ASSERT_LE(log_.dropped(), floor);
    ASSERT_NE(read(floor), ReadStatus::gap);
    ASSERT_EQ(first(), floor + 1);
    ASSERT_EQ(read(n - 1), ReadStatus::last);
    ASSERT_EQ(first(), n);
  }
  EXPECT_LE(pages_.bytes(), (kWindow + 8) * 22'000);
}

TEST_F(TopicLogTest, KeepsWhatIsNotSwept) {
  for (Sequence n = 1; n <= 10; ++n) append(n, limits::kMaxPage);
  trim(kNoHistory, 0);
  EXPECT_EQ(log_.dropped(), 0U);
  trim(kNoHistory, 4);
  EXPECT_EQ(log_.dropped(), 4U);
  trim(kNoHistory, 10);
  EXPECT_TRUE(log_.empty());
}

TEST_F(TopicLogTest, FindsPublisherIds) {
  append(1, 100, "one");
  append(2);
  append(3, 100, "three");
  append(4, 100, "one");
  EXPECT_EQ(log_.find("one"), 1U) << "the first use";
  EXPECT_EQ(log_.find("three"), 3U);
  EXPECT_FALSE(log_.find(own_id(2))) << "the hub's ids are no matter of the index";
  EXPECT_FALSE(log_.find("thre"));
  EXPECT_FALSE(log_.find(""));
}

// The index's keys point into the pages: none may outlive its page, none may go before.
TEST_F(TopicLogTest, TheIndexFollowsThePages) {
  for (Sequence n = 1; n <= 300; ++n) {
    append(n, 100, n % 3 == 0 ? std::string{} : "own-" + std::to_string(n));
    while (n > 50 && log_.dropped() + 50 < n) log_.drop_oldest(pages_);
    for (Sequence seen = 1; seen <= n; ++seen) {
      const auto found = log_.find("own-" + std::to_string(seen));
      ASSERT_EQ(found.has_value(), seen % 3 != 0 && seen > log_.dropped()) << seen << " of " << n;
      if (found) {
        ASSERT_EQ(*found, seen);
      }
    }
  }
  while (!log_.empty()) log_.drop_oldest(pages_);
  EXPECT_FALSE(log_.find("own-299"));
}

// An id used again after its first use is gone counts from its next use on.
TEST_F(TopicLogTest, AnIdMayBeUsedAgainWhenItsFirstUseIsGone) {
  append(1, limits::kMaxPage, "same");
  append(2, limits::kMaxPage);
  log_.drop_oldest(pages_);
  EXPECT_FALSE(log_.find("same"));
  append(3, limits::kMaxPage, "same");
  EXPECT_EQ(log_.find("same"), 3U);
  log_.drop_oldest(pages_);
  EXPECT_EQ(log_.find("same"), 3U) << "the hub's own id of frame 2 takes nothing away";
}

TEST_F(TopicLogTest, AUseThatIsGoneTakesNoLaterUseAlong) {
  append(1, limits::kMaxPage, "same");
  append(2, limits::kMaxPage, "same");
  log_.drop_oldest(pages_);
  append(3, limits::kMaxPage, "same");
  log_.drop_oldest(pages_);
  EXPECT_EQ(log_.find("same"), 3U);
}

// Of an id that is used again the newest use counts, and its body.
TEST_F(TopicLogTest, FindsWhatIsTheSameAsTheNewestUseOfItsId) {
  append(1, 100, "one");
  append(2, 100, "two");
  append(3, 200, "one");
  EXPECT_EQ(log_.find_same("two", body_of_size(100)), 2U);
  EXPECT_EQ(log_.find_same("one", body_of_size(200)), 3U);
  EXPECT_FALSE(log_.find_same("one", body_of_size(100))) << "it has changed since";
  EXPECT_FALSE(log_.find_same("one", body_of_size(201)));
  EXPECT_FALSE(log_.find_same("on", body_of_size(200)));
  EXPECT_FALSE(log_.find_same(own_id(2), body_of_size(100)));
}

// While its first use is gone, too, and the page that the index's key was in.
TEST_F(TopicLogTest, FindsTheNewestUseOfAnIdWhoseFirstUseIsGone) {
  append(1, limits::kMaxPage, "same");
  append(2, limits::kMaxPage, "same");
  append(3, limits::kMaxPage, "same");
  for (int i = 0; i < 2; ++i) {
    log_.drop_oldest(pages_);
    EXPECT_FALSE(log_.find("same"));
    EXPECT_EQ(log_.find_same("same", body_of_size(limits::kMaxPage)), 3U);
  }
  log_.drop_oldest(pages_);
  EXPECT_FALSE(log_.find_same("same", body_of_size(limits::kMaxPage)));
}

// As many frames as end within the limit, to the byte, and one in any case.
TEST_F(TopicLogTest, OnePieceKeepsToTheByteLimit) {
  for (Sequence n = 1; n <= 3; ++n) append(n, 100);
  ASSERT_EQ(read(0), ReadStatus::last);
  ASSERT_EQ(piece_.last, 3U) << "one page";
  const std::size_t size = piece_.bytes().size() / 3;
  for (std::size_t limit = 0; limit <= 4 * size; ++limit) {
    const ReadStatus status = read(0, limit);
    ASSERT_EQ(piece_.last, std::clamp<std::size_t>(limit / size, 1, 3)) << limit;
    ASSERT_EQ(status, piece_.last == 3 ? ReadStatus::last : ReadStatus::more) << limit;
  }
}

TEST_F(TopicLogTest, TimesAndBytesBehind) {
  std::vector<std::uint64_t> end{0};
  for (Sequence n = 1; n <= 200; ++n) {
    now_ = 1000 + 10 * n;
    append(n, 50 + n);
    ASSERT_EQ(read(n - 1), ReadStatus::last);
    end.push_back(end.back() + piece_.bytes().size());
  }
  for (Sequence after = 0; after < 200; ++after) {
    ASSERT_EQ(log_.bytes_after(after), end[200] - end[after]);
    ASSERT_EQ(log_.time_after(after), 1000 + 10 * (after + 1));
  }
  EXPECT_EQ(log_.bytes_after(200), 0U);
  EXPECT_FALSE(log_.time_after(200));
}

TEST_F(TopicLogTest, SurvivesLongSilenceAndManyEventsElsewhere) {
  append(1);
  now_ += TimeMs{1} << 33;
  append(2);
  append(Sequence{1} << 40);
  EXPECT_EQ(read(0), ReadStatus::more);
  EXPECT_EQ(read(1), ReadStatus::more);
  EXPECT_EQ(read(2), ReadStatus::last);
  EXPECT_EQ(piece_.last_sequence(), Sequence{1} << 40);
  EXPECT_EQ(log_.time_after(0), 1000U);
  EXPECT_EQ(log_.time_after(1), now_);
}

// Shards read the clock each for itself, so a publish may be a little older than the one before.
TEST_F(TopicLogTest, AClockThatIsALittleBehindDoesNoHarm) {
  append(1);
  now_ -= 5;
  append(2);
  now_ += 5;
  append(3);
  EXPECT_EQ(log_.history_floor({100, 10, kNoLimit}, now_), 0U);
  EXPECT_EQ(read(0, 1), ReadStatus::more);
  EXPECT_EQ(first(), 1U);
  EXPECT_EQ(read(2), ReadStatus::last);
}

}  // namespace
}  // namespace tocsin::core
