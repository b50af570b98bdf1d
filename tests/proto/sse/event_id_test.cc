#include "proto/sse/event_id.h"

#include <array>
#include <limits>
#include <string>

#include <gtest/gtest.h>

namespace tocsin::proto {
namespace {

TEST(EventIdTest, WritesEpochAndSequence) {
  EXPECT_EQ(to_string({.epoch = 0x9f3c21ab, .sequence = 1042}), "9f3c21ab-1042");
  EXPECT_EQ(to_string({.epoch = 0, .sequence = 0}), "00000000-0");
}

TEST(EventIdTest, LongestIdFillsTheBufferExactly) {
  constexpr EventId kLongest{.epoch = std::numeric_limits<Epoch>::max(),
                             .sequence = std::numeric_limits<Sequence>::max()};
  std::array<char, kMaxEventIdText> text{};
  EXPECT_EQ(write_event_id(kLongest, text.data()), kMaxEventIdText);
  EXPECT_EQ(std::string(text.begin(), text.end()), "ffffffff-18446744073709551615");
}

TEST(EventIdTest, ParsesWhatItWrites) {
  for (const Sequence sequence : {Sequence{0}, Sequence{1}, Sequence{10}, Sequence{9'999'999'999},
                                  std::numeric_limits<Sequence>::max()}) {
    for (const Epoch epoch : {Epoch{0}, Epoch{1}, Epoch{0x80000000}, Epoch{0xffffffff}}) {
      const EventId id{.epoch = epoch, .sequence = sequence};
      EXPECT_EQ(parse_event_id(to_string(id)), id);
    }
  }
}

TEST(EventIdTest, RefusesEveryOtherSpelling) {
  for (const char* text : {"",
                           "1042",
                           "9f3c21ab",
                           "9f3c21ab-",
                           "9f3c21ab-x",
                           "9f3c21ab-1x",
                           "9f3c21ab- 1",
                           "9f3c21ab-+1",
                           "9f3c21ab--1",
                           "9f3c21ab-01",
                           "9f3c21ab-00",
                           "9F3C21AB-1",
                           "9f3c21a-1",
                           "9f3c21abc-1",
                           "9f3c21ag-1",
                           "9f3c21ab_1",
                           "9f3c21ab-18446744073709551616",
                           "9f3c21ab-99999999999999999999",
                           "9f3c21ab-100000000000000000000",
                           " 9f3c21ab-1",
                           "9f3c21ab-1 ",
                           "urn:uuid:9f3c21ab-1"}) {
    EXPECT_EQ(parse_event_id(text), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace tocsin::proto
