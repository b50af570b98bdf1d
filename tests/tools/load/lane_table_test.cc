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
  table.lanes.finish(0, table.published, totals);
  EXPECT_EQ(totals.lost, 2U);
  table.lanes.expect_nothing(0);
  totals = {};
  table.lanes.finish(0, table.published, totals);
  EXPECT_EQ(totals.lost, 0U);
}

}  // namespace
}  // namespace tocsin::load
