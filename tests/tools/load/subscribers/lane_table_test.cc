#include "tools/load/subscribers/lane_table.h"

#include <gtest/gtest.h>

namespace tocsin::load {
namespace {

// Two streams of one topic that must get everything.
struct TwoStreams {
  TwoStreams() {
    for (const std::uint32_t stream : {0U, 1U}) lanes.expect_all(stream);
  }
  // How many of them came for the first time.
  std::size_t place(std::uint32_t stream, std::initializer_list<std::uint64_t> numbers) {
    std::size_t sum = 0;
    for (const std::uint64_t number : numbers) {
      if (lanes.place(stream, 0, number, totals)) ++sum;
    }
    return sum;
  }
  // The publisher opens another connection for what comes behind them.
  void give_up(std::initializer_list<std::uint64_t> numbers) {
    for (const std::uint64_t number : numbers) published.unpublished.add(0, number);
  }
  // When so many were submitted.
  void expect_faults(std::uint32_t stream, std::uint64_t submitted, std::uint64_t lost,
                     std::uint64_t duplicated, std::uint64_t reordered) {
    published.submitted[0] = submitted;
    CheckTotals end = totals;
    lanes.finish(stream, published, false, end);
    EXPECT_EQ(end.lost, lost);
    EXPECT_EQ(end.duplicated, duplicated);
    EXPECT_EQ(end.reordered, reordered);
  }

  PublishProgress published{1};
  LaneTable lanes{2, 0, 1, 1, published.unpublished};
  CheckTotals totals;
};

TEST(LaneTable, WhatAStreamLackedIsForgottenWithIt) {
  TwoStreams table;
  table.place(0, {0, 2, 5});
  table.place(1, {0, 2, 5});
  EXPECT_EQ(table.totals.lost, 6U);
  table.lanes.expect_nothing(0);
  table.published.submitted[0] = 10;
  table.lanes.expect_from_now(0, table.published);
  // 10 opens it; what its predecessor lacked comes again for nobody.
  table.place(0, {10, 1, 4, 3});
  EXPECT_EQ(table.totals.duplicated, 3U);
  EXPECT_EQ(table.totals.reordered, 0U);
  EXPECT_EQ(table.totals.lost, 6U);  // and what was lost stays lost
  // The other stream's gaps are its own.
  table.place(1, {1});
  EXPECT_EQ(table.totals.reordered, 1U);
  EXPECT_EQ(table.totals.lost, 5U);
}

TEST(LaneTable, NothingIsLackingAfterwards) {
  TwoStreams table;
  table.place(0, {0});
  table.published.submitted[0] = 3;
  CheckTotals totals;
  table.lanes.finish(0, table.published, false, totals);
  EXPECT_EQ(totals.lost, 2U);
  table.lanes.expect_nothing(0);
  totals = {};
  table.lanes.finish(0, table.published, false, totals);
  EXPECT_EQ(totals.lost, 0U);
}

TEST(LaneTable, NobodyLacksWhatWasNotPublished) {
  TwoStreams table;
  table.place(0, {0, 4, 6});  // lacks 1, 2, 3 and 5
  table.lanes.tell(0);
  table.place(0, {9});  // 7 and 8 are told
  table.published.submitted[0] = 13;
  table.give_up({2, 3, 4, 8, 10});
  CheckTotals totals = table.totals;
  EXPECT_EQ(totals.lost, 4U);
  EXPECT_EQ(totals.told, 2U);
  table.lanes.finish(0, table.published, false, totals);
  EXPECT_EQ(totals.lost, 4U - 2U + 2U);  // 1 and 5, and of the last three 11 and 12
  EXPECT_EQ(totals.told, 1U);            // 7
  EXPECT_EQ(totals.delivered, 0U);       // that 4 came though it was not published is no fault
  EXPECT_EQ(totals.duplicated, 0U);
}

TEST(LaneTable, WhatAStreamMissesThatNeverGotBackIsNotLost) {
  TwoStreams table;
  table.place(0, {0, 2});
  table.published.submitted[0] = 9;
  table.give_up({5});
  CheckTotals totals = table.totals;
  table.lanes.finish(0, table.published, true, totals);
  EXPECT_EQ(totals.lost, 1U);
  EXPECT_EQ(totals.away, 5U);
}

TEST(LaneTable, WhatWasGivenUpMayComeAfterWhatIsNewer) {
  TwoStreams table;
  EXPECT_EQ(table.place(0, {0, 1}), 2U);
  table.give_up({2, 3, 4, 6, 7});
  EXPECT_EQ(table.place(0, {5, 2, 8, 3, 7, 9, 6}), 7U);
  table.expect_faults(0, 11, 1, 0, 0);  // 10; 4 never came, and need not
}

TEST(LaneTable, WhatWasPublishedMayNotComeAfterWhatIsNewer) {
  TwoStreams table;
  table.place(0, {0});
  table.give_up({2, 3});
  EXPECT_EQ(table.place(0, {6, 2, 5, 1, 3, 4}), 6U);
  table.expect_faults(0, 7, 0, 0, 3);  // 5, 1 and 4
}

TEST(LaneTable, WhatWasGivenUpComesOnce) {
  for (const bool is_late : {false, true}) {
    TwoStreams table;
    if (is_late) {
      table.lanes.expect_nothing(0);
      table.lanes.expect_from_now(0, table.published);
    }
    table.place(0, {0, 1});
    table.give_up({1, 2});
    EXPECT_EQ(table.place(0, {3, 2, 2, 1, 4}), 3U);
    table.expect_faults(0, 5, 0, 2, 0);
  }
}

TEST(LaneTable, AStreamMayBeginBeforeWhatWasGivenUpComes) {
  for (const bool is_first : {false, true}) {
    TwoStreams table;
    table.lanes.expect_nothing(0);
    table.published.submitted[0] = 10;
    table.lanes.expect_from_now(0, table.published);
    table.give_up({4, 5});
    // Nothing between 4 and 10 is owed to it.
    EXPECT_EQ(is_first ? table.place(0, {4}) : 1U, 1U);
    table.place(0, {10, 11, 5, 12});
    table.expect_faults(0, 13, 0, 0, 0);
    table.place(0, {6, 12, 15, 14});
    table.expect_faults(0, 16, 1, 2, 1);  // lacks 13; 6 and 12 again; 14 late
  }
}

TEST(LaneTable, AStreamThatIsOwedNothingMayBeginWithAnything) {
  TwoStreams table;
  table.lanes.expect_nothing(0);
  table.give_up({4});
  EXPECT_EQ(table.place(0, {4, 8, 9}), 3U);
  table.expect_faults(0, 10, 0, 0, 0);
}

}  // namespace
}  // namespace tocsin::load
