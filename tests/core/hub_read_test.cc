// read() and its helpers: pieces, limits, order over many topics, what a late reader is told.
#include <gmock/gmock.h>

#include "tests/core/hub_fixture.h"

namespace tocsin::core {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class HubReadTest : public HubTest {
 protected:
  // Keeps nothing but what is unswept or of this millisecond.
  static HubSettings nothing_kept() {
    HubSettings settings;
    settings.history = {.count = 0, .age_ms = 0, .bytes = 0};
    settings.backlog = {.bytes = kNoLimit, .age_ms = 0};
    return settings;
  }
  ReadEvents read_once(const Subscription& at, std::size_t max_bytes,
                       std::size_t max_pieces = 100) {
    ReadEvents got;
    got.status = hub().read(at.topics, at.cursor, max_bytes, max_pieces, got.pieces);
    return got;
  }
};

TEST_F(HubReadTest, NothingNewIsTheEnd) {
  publish("a", "x");
  const Subscription one = live({"a"});
  const Subscription two = live({"a", "b"});
  for (const Subscription* at : {&one, &two}) {
    const ReadEvents got = read_once(*at, kNoLimit);
    EXPECT_EQ(got.status, ReadStatus::end);
    EXPECT_THAT(got.pieces, IsEmpty());
  }
}

TEST_F(HubReadTest, EventsOfOnePageAreOnePiece) {
  Subscription at = live({"a"});
  for (int i = 0; i < 5; ++i) publish("a", "x");
  const ReadEvents got = read_once(at, kNoLimit);
  EXPECT_EQ(got.status, ReadStatus::last);
  ASSERT_EQ(got.pieces.size(), 1U);
  EXPECT_THAT(got.sequences(), ElementsAre(1, 2, 3, 4, 5));
}

TEST_F(HubReadTest, AppendsToWhatTheCallerHas) {
  publish("a", "x");
  publish("b", "x");
  std::vector<Piece> out(3);
  EXPECT_EQ(hub().read(earliest({"a"}).topics, 0, kNoLimit, 9, out), ReadStatus::last);
  EXPECT_EQ(out.size(), 4U);
  EXPECT_EQ(hub().read(earliest({"a", "b"}).topics, 0, kNoLimit, 9, out), ReadStatus::last);
  EXPECT_EQ(out.size(), 6U);
}

// Frames of 100 bytes on the wire each, every limit around their ends: as many whole frames as fit,
// at least one, over one topic and over two (of which one is silent).
TEST_F(HubReadTest, KeepsToTheByteLimit) {
  const std::string tail = "id: " + own_id(1) + "\n\n";
  constexpr std::size_t kAround = proto::chunk_size(94) - 94;
  for (int i = 0; i < 9; ++i) publish_body("a", body_of_size(100 - kAround - tail.size()));
  for (const Subscription& at : {earliest({"a"}), earliest({"a", "silent"})}) {
    for (std::size_t limit = 0; limit <= 1000; ++limit) {
      const ReadEvents got = read_once(at, limit);
      // Over the border of a page the frame behind it is read only if it fits as well.
      const std::size_t frames = std::clamp<std::size_t>(limit / 100, 1, 9);
      EXPECT_EQ(got.bytes().size(), frames * 100) << limit;
      EXPECT_EQ(got.status, frames == 9 ? ReadStatus::last : ReadStatus::more) << limit;
    }
  }
}

TEST_F(HubReadTest, TakesOneFrameHoweverLarge) {
  publish_body("a", body_of_size(kOwnPage));
  publish_body("b", body_of_size(kOwnPage));
  EXPECT_THAT(read_once(earliest({"a"}), 1).sequences(), ElementsAre(1));
  EXPECT_THAT(read_once(earliest({"a", "b"}), 1).sequences(), ElementsAre(1));
  EXPECT_EQ(read_once(earliest({"a"}), 1).status, ReadStatus::last);
  EXPECT_EQ(read_once(earliest({"a", "b"}), 1).status, ReadStatus::more);
}

TEST_F(HubReadTest, KeepsToThePieceLimit) {
  for (int i = 0; i < 5; ++i) publish_body("a", body_of_size(kOwnPage));
  Subscription at = earliest({"a"});
  EXPECT_THAT(read_once(at, kNoLimit, 1).sequences(), ElementsAre(1));
  EXPECT_THAT(read_once(at, kNoLimit, 4).sequences(), ElementsAre(1, 2, 3, 4));
  EXPECT_EQ(read_once(at, kNoLimit, 4).status, ReadStatus::more);
  EXPECT_EQ(read_once(at, kNoLimit, 5).status, ReadStatus::last);
  EXPECT_EQ(read_once(at, kNoLimit, 6).status, ReadStatus::last);
  EXPECT_THAT(read_all(at, kNoLimit, 2).sequences(), ElementsAre(1, 2, 3, 4, 5));
}

TEST_F(HubReadTest, ManyTopicsInSequenceOrder) {
  for (const std::string_view topic : {"a", "b", "b", "a", "c", "a", "b"}) publish(topic, "x");
  Subscription at = earliest({"c", "b", "a"});
  const ReadEvents got = read_once(at, kNoLimit);
  EXPECT_EQ(got.status, ReadStatus::last);
  EXPECT_THAT(got.sequences(), ElementsAre(1, 2, 3, 4, 5, 6, 7));
  EXPECT_EQ(got.pieces.size(), 6U) << "2 and 3 are one piece";
}

TEST_F(HubReadTest, StatusSaysWhetherMoreIsThereOverManyTopics) {
  for (const std::string_view topic : {"a", "b", "a"}) publish(topic, "x");
  const Subscription at = earliest({"a", "b"});
  const std::size_t all = read_once(at, kNoLimit).bytes().size();
  EXPECT_EQ(read_once(at, kNoLimit, 2).status, ReadStatus::more);
  EXPECT_EQ(read_once(at, kNoLimit, 3).status, ReadStatus::last) << "the piece limit met exactly";
  EXPECT_EQ(read_once(at, all, 9).status, ReadStatus::last) << "the byte limit met exactly";
  EXPECT_EQ(read_once(at, all - 1, 9).status, ReadStatus::more);
}

TEST_F(HubReadTest, RandomTopicsAndLimitsGiveEverythingOnceInOrder) {
  std::mt19937_64 random{test_seed()};
  const auto below = [&](std::size_t n) { return static_cast<std::size_t>(random() % n); };
  const std::vector<std::string> names = {"a", "b", "c", "d", "e", "f", "g", "h"};
  const std::vector<std::string_view> views(names.begin(), names.end());
  auto at = hub().subscribe(views, {}, 0, now_).value();
  std::string expected;
  std::string got;
  for (int i = 0; i < 5000; ++i) {
    const std::string data(below(50) == 0 ? below(5000) : below(60), 'd');
    const std::string id = below(4) == 0 ? "own-" + std::to_string(i) : "";
    const Sequence sequence = publish(names[below(names.size())], data, id);
    expected += frame_of(id.empty() ? own_id(sequence) : id, data);
    if (below(20) != 0) continue;
    std::vector<Piece> pieces;
    const std::size_t max_bytes = below(4000);
    const std::size_t max_pieces = 1 + below(20);
    const ReadStatus status = hub().read(at.topics, at.cursor, max_bytes, max_pieces, pieces);
    ASSERT_NE(status, ReadStatus::gap);
    ASSERT_LE(pieces.size(), max_pieces);
    std::size_t bytes = 0;
    for (const Piece& piece : pieces) bytes += piece.bytes().size();
    const bool one_frame = pieces.size() == 1 && pieces[0].last - pieces[0].first == 1;
    ASSERT_TRUE(bytes <= max_bytes || one_frame);
    for (const Piece& piece : pieces) got += piece.bytes();
    if (!pieces.empty()) at.cursor = pieces.back().last_sequence();
    ASSERT_EQ(status == ReadStatus::more, at.cursor < hub().last_sequence());
  }
  got += read_all(at, 10'000, 8).bytes();
  EXPECT_EQ(got, expected);
}

TEST_F(HubReadTest, ReadsNothingAtOrBelowATopicsFrom) {
  for (const std::string_view topic : {"a", "b", "a", "b", "a"}) publish(topic, "x");
  Subscription one = live({"a"});
  Subscription two = live({"a", "b"});
  one.topics[0].from = two.topics[0].from = 3;
  one.cursor = two.cursor = 0;
  EXPECT_THAT(read_once(one, kNoLimit).sequences(), ElementsAre(5));
  EXPECT_THAT(read_once(two, kNoLimit).sequences(), ElementsAre(2, 4, 5));
}

TEST_F(HubReadTest, AGapIsToldAndNothingRead) {
  make_hub(nothing_kept());
  Subscription one = live({"a"}, 0);
  Subscription two = live({"quiet", "a"}, 0);
  publish("quiet", "1");
  for (int i = 0; i < 3; ++i) publish_body("a", body_of_size(kOwnPage));
  sweep(0);
  now_ += 1;
  publish_body("a", body_of_size(kOwnPage));  // lets go of what is swept
  for (const Subscription* at : {&one, &two}) {
    const ReadEvents got = read_once(*at, kNoLimit);
    EXPECT_EQ(got.status, ReadStatus::gap);
    EXPECT_THAT(got.pieces, IsEmpty());
  }
  // 4 is gone; 5 is not.
  one.cursor = 3;
  EXPECT_EQ(read_once(one, kNoLimit).status, ReadStatus::gap);
  one.cursor = 4;
  EXPECT_THAT(read_once(one, kNoLimit).sequences(), ElementsAre(5));
}

TEST_F(HubReadTest, SkipGapGoesOnWithHistory) {
  HubSettings settings = nothing_kept();
  settings.history = {.count = 2, .age_ms = 1000, .bytes = kNoLimit};
  make_hub(settings);
  Subscription at = live({"a"}, 0);
  for (int i = 0; i < 5; ++i) publish_body("a", body_of_size(kOwnPage));
  sweep(0);
  now_ += 1;
  publish_body("a", body_of_size(kOwnPage));
  ASSERT_EQ(read_once(at, kNoLimit).status, ReadStatus::gap);
  at.cursor = hub().skip_gap(at.topics, at.cursor, now_);
  EXPECT_THAT(read_once(at, kNoLimit).sequences(), ElementsAre(5, 6));
  EXPECT_FALSE(after({"a"}, own_id(at.cursor)).gap) << "told once: the id has moved on";
}

TEST_F(HubReadTest, SkipGapLosesNothingOfOtherTopics) {
  HubSettings settings = nothing_kept();
  settings.history = {.count = 2, .age_ms = 1000, .bytes = kNoLimit};
  make_hub(settings);
  Subscription at = live({"quiet", "a"}, 0);
  publish("quiet", "1");
  for (int i = 0; i < 5; ++i) publish_body("a", body_of_size(kOwnPage));
  sweep(0);
  now_ += 1;
  publish_body("a", body_of_size(kOwnPage));
  ASSERT_EQ(read_once(at, kNoLimit).status, ReadStatus::gap);
  at.cursor = hub().skip_gap(at.topics, at.cursor, now_);
  EXPECT_THAT(read_once(at, kNoLimit).sequences(), ElementsAre(1, 6, 7));
}

// A topic without a gap goes on from the cursor, also where history keeps less than the log.
TEST_F(HubReadTest, SkipGapWithoutAGapChangesNothing) {
  HubSettings settings;
  settings.history.count = 1;
  make_hub(settings);
  Subscription at = live({"a", "b"});
  for (const std::string_view topic : {"a", "a", "b", "b"}) publish(topic, "x");
  at.cursor = hub().skip_gap(at.topics, 1, now_);
  EXPECT_EQ(at.cursor, 1U);
  EXPECT_THAT(read_once(at, kNoLimit).sequences(), ElementsAre(2, 3, 4));
}

TEST_F(HubReadTest, SkipToLatestLeavesTheNewestOfEachTopic) {
  Subscription at = live({"a", "b", "c", "silent"});
  for (const std::string_view topic : {"c", "a", "b", "a", "b", "b", "a", "b"}) publish(topic, "x");
  at.cursor = hub().skip_to_latest(at.topics, 0).value_or(0);
  EXPECT_THAT(read_all(at).sequences(), ElementsAre(1, 7, 8));
  publish("a", "x");
  publish("a", "x");
  EXPECT_THAT(read_all(at).sequences(), ElementsAre(9, 10)) << "from there on, everything";
}

TEST_F(HubReadTest, SkipToLatestRepeatsNothing) {
  Subscription at = live({"a", "b"});
  for (const std::string_view topic : {"a", "b", "b", "a"}) publish(topic, "x");
  at.cursor = 3;  // the newest of b is delivered
  EXPECT_EQ(hub().skip_to_latest(at.topics, at.cursor), std::nullopt) << "nothing is missed";
  EXPECT_THAT(read_all(at).sequences(), ElementsAre(4));
  EXPECT_EQ(hub().skip_to_latest(at.topics, at.cursor), std::nullopt) << "nothing is left";
  EXPECT_THAT(read_all(at).sequences(), IsEmpty());
}

// With a quiet topic in front the cursor stays where it was, though something is missed.
TEST_F(HubReadTest, SkipToLatestSaysWhetherSomethingIsMissed) {
  Subscription at = live({"quiet", "a"});
  for (const std::string_view topic : {"quiet", "a", "a"}) publish(topic, "x");
  EXPECT_EQ(hub().skip_to_latest(at.topics, 0), 0U);
  EXPECT_THAT(read_all(at).sequences(), ElementsAre(1, 3));
}

TEST_F(HubReadTest, TheSlowRuleIsBrokenByBytesOrByAge) {
  const SlowRule rule{.policy = SlowPolicy::latest, .bytes = 100, .age_ms = 50};
  using Behind = Hub::Behind;
  EXPECT_FALSE((Behind{.bytes = 100, .since = 1000}.breaks(rule, 1050)));
  EXPECT_TRUE((Behind{.bytes = 101, .since = 1000}.breaks(rule, 1050)));
  EXPECT_TRUE((Behind{.bytes = 100, .since = 1000}.breaks(rule, 1051)));
  EXPECT_FALSE((Behind{.bytes = 0, .since = {}}.breaks(rule, 1051)));
  EXPECT_FALSE((Behind{.bytes = 1, .since = 1000}.breaks(rule, 900))) << "a clock behind another's";
}

TEST_F(HubReadTest, SkipToLatestPassesOverWhatIsGone) {
  make_hub(nothing_kept());
  Subscription at = live({"a", "gone"}, 0);
  publish_body("gone", body_of_size(kOwnPage));
  for (int i = 0; i < 3; ++i) publish_body("a", body_of_size(kOwnPage));
  sweep(0);
  now_ += 1;
  hub().maintain(now_);
  publish_body("a", body_of_size(kOwnPage));
  ASSERT_EQ(read_once(at, kNoLimit).status, ReadStatus::gap);
  const auto skipped = hub().skip_to_latest(at.topics, at.cursor);
  ASSERT_TRUE(skipped);
  at.cursor = *skipped;
  EXPECT_THAT(read_all(at).sequences(), ElementsAre(5));
}

TEST_F(HubReadTest, BehindCountsBytesAndTheOldestMissingEvent) {
  Subscription at = live({"a", "b", "silent"});
  EXPECT_EQ(hub().behind(at.topics, at.cursor).bytes, 0U);
  EXPECT_FALSE(hub().behind(at.topics, at.cursor).since);
  const std::size_t size = frame_of(own_id(1), "x").size();
  for (const std::string_view topic : {"a", "b", "other", "a", "a"}) {
    now_ += 10;
    publish(topic, "x");
  }
  const TimeMs first = now_ - 40;
  const struct {
    Sequence cursor;
    std::size_t events;
    std::optional<TimeMs> since;
  } expected[] = {{0, 4, first},      {1, 3, first + 10}, {2, 2, first + 30},
                  {3, 2, first + 30}, {4, 1, first + 40}, {5, 0, std::nullopt}};
  for (const auto& each : expected) {
    const Hub::Behind behind = hub().behind(at.topics, each.cursor);
    EXPECT_EQ(behind.bytes, each.events * size) << each.cursor;
    EXPECT_EQ(behind.since, each.since) << each.cursor;
  }
}

TEST_F(HubReadTest, BehindDoesNotCountWhatWasSkipped) {
  Subscription at = live({"a"});
  for (int i = 0; i < 4; ++i) publish("a", "x");
  at.topics[0].from = 3;
  EXPECT_EQ(hub().behind(at.topics, 0).bytes, frame_of(own_id(4), "x").size());
}

TEST_F(HubReadTest, BehindCountsOverManyPages) {
  Subscription at = live({"a"});
  std::uint64_t bytes = 0;
  for (int i = 0; i < 1000; ++i) {
    publish("a", std::string(static_cast<std::size_t>(i), 'x'));
    bytes = hub().encoded_bytes();
    if (i == 499) at.cursor = hub().last_sequence();
  }
  EXPECT_EQ(hub().behind(at.topics, 0).bytes, bytes);
  std::vector<Piece> pieces;
  EXPECT_EQ(hub().read(at.topics, at.cursor, kNoLimit, kManyPieces, pieces), ReadStatus::last);
  std::uint64_t rest = 0;
  for (const Piece& piece : pieces) rest += piece.bytes().size();
  EXPECT_EQ(hub().behind(at.topics, at.cursor).bytes, rest);
}

}  // namespace
}  // namespace tocsin::core
