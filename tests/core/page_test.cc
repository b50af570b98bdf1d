#include "core/page.h"

#include <limits>
#include <string>

#include <gtest/gtest.h>

namespace tocsin::core {
namespace {

constexpr Page::Origin kOrigin{.position = 1000, .frame = 7, .sequence = 40, .time = 500};
constexpr std::uint64_t kReach = std::numeric_limits<std::uint32_t>::max();

TEST(Page, IsEmptyAtFirst) {
  const Page page{512, kOrigin};
  EXPECT_EQ(page.frames(), 0U);
  EXPECT_EQ(page.size(), 0U);
  EXPECT_EQ(page.begin_position(), 1000U);
  EXPECT_EQ(page.end_position(), 1000U);
  EXPECT_EQ(page.begin_frame(), 7U);
  EXPECT_EQ(page.end_frame(), 7U);
  EXPECT_EQ(page.first_after(0), 0U);
}

TEST(Page, KeepsFramesAdjacentAndKnowsEach) {
  Page page{512, kOrigin};
  page.append("data: a\n", "id: 1\n\n", 40, 500);
  page.append("data: bb\n", "id: 22\n\n", 43, 520);
  page.append("", "c", 44, 520);
  ASSERT_EQ(page.frames(), 3U);
  EXPECT_EQ(std::string_view(page.data(), page.size()),
            "f\r\ndata: a\nid: 1\n\n\r\n"
            "11\r\ndata: bb\nid: 22\n\n\r\n"
            "1\r\nc\r\n");
  EXPECT_EQ(page.begin_of(0), 0U);
  EXPECT_EQ(page.end_of(0), 20U);
  EXPECT_EQ(page.begin_of(1), 20U);
  EXPECT_EQ(page.end_of(1), 43U);
  EXPECT_EQ(page.end_of(2), 49U);
  EXPECT_EQ(page.frame(0), "data: a\nid: 1\n\n");
  EXPECT_EQ(page.frame(1), "data: bb\nid: 22\n\n");
  EXPECT_EQ(page.frame(2), "c");
  EXPECT_EQ(page.sequence_of(0), 40U);
  EXPECT_EQ(page.sequence_of(1), 43U);
  EXPECT_EQ(page.last_sequence(), 44U);
  EXPECT_EQ(page.time_of(0), 500U);
  EXPECT_EQ(page.time_of(1), 520U);
  EXPECT_EQ(page.last_time(), 520U);
  EXPECT_EQ(page.end_position(), 1049U);
  EXPECT_EQ(page.end_frame(), 10U);
}

TEST(Page, FindsTheFirstFrameAfterASequence) {
  Page page{512, kOrigin};
  for (const Sequence sequence : {40U, 43U, 44U, 50U}) page.append("", "x", sequence, 500);
  EXPECT_EQ(page.first_after(0), 0U);
  EXPECT_EQ(page.first_after(39), 0U);
  EXPECT_EQ(page.first_after(40), 1U);
  EXPECT_EQ(page.first_after(42), 1U);
  EXPECT_EQ(page.first_after(43), 2U);
  EXPECT_EQ(page.first_after(44), 3U);
  EXPECT_EQ(page.first_after(49), 3U);
  EXPECT_EQ(page.first_after(50), 4U);
  EXPECT_EQ(page.first_after(std::numeric_limits<Sequence>::max()), 4U);
}

// Bytes from the front and slots from the back must meet, and not overlap, at every alignment.
TEST(Page, FillsToTheLastByte) {
  for (std::size_t capacity = 64; capacity < 80; ++capacity) {
    for (std::size_t size = 1; size <= 18; ++size) {
      Page page{capacity, kOrigin};
      EXPECT_GE(page.capacity(), capacity);
      Sequence sequence = 40;
      std::string expected;
      while (page.accepts(size, sequence, 500)) {
        const std::string body(size, static_cast<char>('a' + sequence % 26));
        page.append("", body, sequence++, 500);
        proto::append_framed(expected, proto::Framing::chunked, body);
      }
      EXPECT_EQ(page.frames(), page.capacity() / Page::cost(size));
      EXPECT_EQ(std::string_view(page.data(), page.size()), expected);
      for (std::uint32_t i = 0; i < page.frames(); ++i) {
        EXPECT_EQ(page.sequence_of(i), 40 + i);
        EXPECT_EQ(page.end_of(i), (i + 1) * proto::chunk_size(size));
      }
    }
  }
}

TEST(Page, AcceptsExactlyWhatFits) {
  const Page page{512, kOrigin};
  constexpr std::size_t kLargest = 512 - (Page::cost(400) - 400);
  EXPECT_TRUE(page.accepts(kLargest, 40, 500));
  EXPECT_FALSE(page.accepts(kLargest + 1, 40, 500));
  const Page exact{Page::cost(300'000), kOrigin};
  EXPECT_TRUE(exact.accepts(300'000, 40, 500));
}

TEST(Page, RefusesWhatItsSlotsCannotCount) {
  Page page{512, kOrigin};
  EXPECT_TRUE(page.accepts(10, 40 + kReach, 500 + kReach));
  EXPECT_FALSE(page.accepts(10, 41 + kReach, 500));
  EXPECT_FALSE(page.accepts(10, 40, 501 + kReach));
  EXPECT_FALSE(page.accepts(10, 40, 499)) << "a time before the page's begin";
  page.append("", "x", 40 + kReach, 500 + kReach);
  EXPECT_EQ(page.last_sequence(), 40 + kReach);
  EXPECT_EQ(page.last_time(), 500 + kReach);
}

TEST(PageDeathTest, RefusesWhatItDoesNotAcceptAndWhatDoesNotRise) {
  EXPECT_DEATH(
      {
        Page page(64, kOrigin);
        page.append("", std::string(50, 'x'), 40, 500);
      },
      "accepts");
  EXPECT_DEATH(
      {
        Page page(64, kOrigin);
        page.append("", "x", 41, 500);
        page.append("", "x", 41, 500);
      },
      "last_sequence");
}

TEST(Piece, IsWholeFramesAndKeepsThePageAlive) {
  Piece piece;
  {
    const auto page = std::make_shared<Page>(512, kOrigin);
    for (Sequence i = 0; i < 4; ++i) page->append("<", std::string(i + 1, 'a'), 40 + i, 500);
    piece = {.page = page, .first = 1, .last = 3};
  }
  EXPECT_EQ(piece.bytes(), "3\r\n<aa\r\n4\r\n<aaa\r\n");
  EXPECT_EQ(piece.begin(), 7U);
  EXPECT_EQ(piece.end(), 24U);
  EXPECT_EQ(piece.last_sequence(), 42U);
}

}  // namespace
}  // namespace tocsin::core
