#include "tools/serve/memory_return.h"

#include <gtest/gtest.h>

namespace tocsin::tools {
namespace {

constexpr std::uint64_t kMiB = 1 << 20;

class MemoryReturnTest : public ::testing::Test {
 protected:
  // A second later.
  std::uint64_t look(std::uint64_t in_use) {
    now_ += std::chrono::seconds(1);
    return memory_.look(in_use, now_);
  }
  std::chrono::steady_clock::time_point now_{std::chrono::hours(1)};

 private:
  MemoryReturn memory_;
};

TEST_F(MemoryReturnTest, OnceNoMoreIsFreed) {
  EXPECT_EQ(look(10 * kMiB), 0U);
  EXPECT_EQ(look(300 * kMiB), 0U);
  EXPECT_EQ(look(200 * kMiB), 0U) << "it is falling";
  EXPECT_EQ(look(30 * kMiB), 0U);
  EXPECT_EQ(look(30 * kMiB), 270 * kMiB);
  EXPECT_EQ(look(30 * kMiB), 0U) << "that was all";
}

TEST_F(MemoryReturnTest, AHubThatUsesWhatItHasIsLeftAlone) {
  EXPECT_EQ(look(256 * kMiB), 0U);
  for (int i = 0; i < 1000; ++i) ASSERT_EQ(look((i % 2 == 0 ? 254 : 256) * kMiB), 0U);
}

TEST_F(MemoryReturnTest, NotOftenButNothingIsForgotten) {
  EXPECT_EQ(look(100 * kMiB) + look(50 * kMiB), 0U);
  EXPECT_EQ(look(50 * kMiB), 50 * kMiB);
  EXPECT_EQ(look(100 * kMiB) + look(20 * kMiB), 0U);
  std::uint64_t given = 0;
  int seconds = 0;
  for (; given == 0 && seconds < 100; ++seconds) given = look(20 * kMiB);
  EXPECT_EQ(given, 80 * kMiB);
  EXPECT_GT(seconds, 50);
}

}  // namespace
}  // namespace tocsin::tools
