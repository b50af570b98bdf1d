#include "tools/load/subscribers/id_table.h"

#include <gtest/gtest.h>

namespace tocsin::load {
namespace {

TEST(IdTable, KeepsEachTextAsLongAsItIsHeld) {
  IdTable table;
  const auto a = table.hold("a");
  const auto again = table.hold("a");
  const auto b = table.hold("b");
  EXPECT_EQ(a, again);
  EXPECT_EQ(table.hold(""), nullptr);
  EXPECT_EQ(IdTable::text(nullptr), "");
  EXPECT_EQ(table.size(), 2U);
  table.release(b);
  table.release(a);
  EXPECT_EQ(table.size(), 1U);
  EXPECT_EQ(IdTable::text(again), "a");
  EXPECT_EQ(table.hold("a"), again);
  table.release(again);
  table.release(again);
  EXPECT_EQ(table.size(), 0U);
  const auto c = table.hold("a");  // not the entry that has gone
  EXPECT_EQ(IdTable::text(c), "a");
  table.release(c);
  table.release(nullptr);
}

}  // namespace
}  // namespace tocsin::load
