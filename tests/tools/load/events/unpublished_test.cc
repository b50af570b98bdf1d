#include "tools/load/events/unpublished.h"

#include <gtest/gtest.h>

namespace tocsin::load {
namespace {

TEST(Unpublished, CountsWhatIsInARange) {
  Unpublished events;
  EXPECT_EQ(events.count(0, 0, 100), 0U);
  for (const std::uint64_t number : {3, 4, 5, 9, 12, 13}) events.add(0, number);
  events.add(1, 4);
  EXPECT_EQ(events.count(0, 0, 100), 6U);
  EXPECT_EQ(events.count(0, 0, 3), 0U);
  EXPECT_EQ(events.count(0, 3, 4), 1U);
  EXPECT_EQ(events.count(0, 4, 10), 3U);
  EXPECT_EQ(events.count(0, 6, 9), 0U);
  EXPECT_EQ(events.count(0, 5, 13), 3U);
  EXPECT_EQ(events.count(0, 14, 100), 0U);
  EXPECT_EQ(events.count(1, 0, 100), 1U);
  EXPECT_EQ(events.count(2, 0, 100), 0U);
}

}  // namespace
}  // namespace tocsin::load
