#include "tools/load/lane_table.h"

#include <gtest/gtest.h>

namespace tocsin::load {
namespace {

// Two streams of one topic that must get everything.
struct Table {
  Table() {
    for (const std::uint32_t stream : {0U, 1U}) lanes.expect_all(stream);
  }
  void place(std::uint32_t stream, std::initializer_list<std::uint64_t> numbers) {
    for (const std::uint64_t number : numbers) lanes.place(stream, 0, number, totals);
  }

  PublishProgress published{1};
  LaneTable lanes{2, 0, 1, 1};
  CheckTotals totals;
};

TEST(LaneTable, WhatAStreamLackedIsForgottenWithIt) {
  Table table;
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
  Table table;
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
  Table table;
  table.place(0, {0, 4, 6});  // lacks 1, 2, 3 and 5
  table.lanes.tell(0);
  table.place(0, {9});  // 7 and 8 are told
  table.published.submitted[0] = 13;
  for (const std::uint64_t number : {2, 3, 4, 8, 10}) table.published.unpublished.add(0, number);
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
  Table table;
  table.place(0, {0, 2});
  table.published.submitted[0] = 9;
  table.published.unpublished.add(0, 5);
  CheckTotals totals = table.totals;
  table.lanes.finish(0, table.published, true, totals);
  EXPECT_EQ(totals.lost, 1U);
  EXPECT_EQ(totals.away, 5U);
}

}  // namespace
}  // namespace tocsin::load
