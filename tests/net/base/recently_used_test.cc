#include "net/base/recently_used.h"

#include <cstddef>
#include <memory>

#include <gtest/gtest.h>

namespace tocsin::net {
namespace {

class RecentlyUsedTest : public testing::Test {
 protected:
  void keep(int number, std::size_t bytes) { kept_.keep(std::make_shared<int>(number), bytes); }
  bool has(int number) {
    const auto found = kept_.find([number](const auto& one) { return *one == number; });
    return found != nullptr && *found == number;
  }

  RecentlyUsed<std::shared_ptr<int>> kept_{10};
};

TEST_F(RecentlyUsedTest, WhatWasUsedLongestAgoGoesFirst) {
  for (const int number : {1, 2, 3}) keep(number, 3);
  EXPECT_TRUE(has(1));
  keep(4, 4);
  EXPECT_TRUE(has(1));
  EXPECT_FALSE(has(2));
  EXPECT_TRUE(has(3));
  EXPECT_TRUE(has(4));
}

TEST_F(RecentlyUsedTest, TheNewestStaysHoweverLargeItIs) {
  keep(1, 5);
  keep(2, 100);
  EXPECT_FALSE(has(1));
  EXPECT_TRUE(has(2));
  keep(3, 10);  // the large one's bytes are no longer counted
  EXPECT_FALSE(has(2));
  EXPECT_TRUE(has(3));
}

TEST_F(RecentlyUsedTest, ClearedItHasItsBoundAgain) {
  keep(1, 10);
  kept_.clear();
  EXPECT_FALSE(has(1));
  keep(2, 5);
  keep(3, 5);
  EXPECT_TRUE(has(2));
}

}  // namespace
}  // namespace tocsin::net
