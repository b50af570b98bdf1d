#include "net/state/token_bucket.h"

#include <gtest/gtest.h>

namespace tocsin::net {
namespace {

constexpr std::uint64_t kSecond = 1'000'000;  // us

TEST(TokenBucket, AllowsOneSecondsWorthAtOnceAndThenTheRate) {
  TokenBucket bucket;
  const TokenRate rate{.per_s = 10};
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(bucket.try_take(rate, kSecond)) << i;
  EXPECT_FALSE(bucket.try_take(rate, kSecond));
  EXPECT_FALSE(bucket.try_take(rate, kSecond + 99'000));
  EXPECT_TRUE(bucket.try_take(rate, kSecond + 101'000));
  EXPECT_FALSE(bucket.try_take(rate, kSecond + 102'000));
  // A long pause does not save up more than a second's worth.
  int taken = 0;
  while (bucket.try_take(rate, 100 * kSecond)) ++taken;
  EXPECT_EQ(taken, 10);
}

TEST(TokenBucket, HoldsTheRateOverTimeAtEverySpeed) {
  for (const std::uint64_t per_s : {1ULL, 3ULL, 7ULL, 1000ULL, 10'000'000ULL}) {
    TokenBucket bucket;
    const TokenRate rate{.per_s = per_s, .burst_s = 2};
    std::uint64_t taken = 0;
    const std::uint64_t step_us = per_s > 1000 ? 1 : 1000;
    const std::uint64_t end_us = per_s > 1000 ? kSecond / 100 : 20 * kSecond;
    for (std::uint64_t now_us = 0; now_us < end_us; now_us += step_us) {
      for (int i = 0; i < 20 && bucket.try_take(rate, kSecond + now_us); ++i) ++taken;
    }
    EXPECT_LE(taken, per_s * 2 + per_s * end_us / kSecond + 1) << per_s;
    if (per_s <= 1000) {
      EXPECT_GE(taken, per_s * 2 + per_s * 19) << per_s;
    }
  }
}

TEST(TokenBucket, AClockThatStandsStillOrGoesBackGivesNothing) {
  TokenBucket bucket;
  const TokenRate rate{.per_s = 5};
  while (bucket.try_take(rate, 10 * kSecond)) {
  }
  EXPECT_FALSE(bucket.try_take(rate, 9 * kSecond));
  EXPECT_FALSE(bucket.try_take(rate, 9 * kSecond + 1));
}

TEST(TokenBucket, ZeroIsNoLimit) {
  TokenBucket bucket;
  for (int i = 0; i < 1000; ++i) EXPECT_TRUE(bucket.try_take({}, 1));
  EXPECT_TRUE(bucket.is_full(1));
}

TEST(TokenBucket, SaysHowLongToWaitAndIsRight) {
  TokenBucket bucket;
  const TokenRate rate{.per_s = 3, .burst_s = 10};
  EXPECT_EQ(bucket.wait_us(rate, kSecond), 0U);
  bucket.take(rate, 100, kSecond);  // 70 more than it has
  const std::uint64_t wait_us = bucket.wait_us(rate, kSecond);
  EXPECT_NEAR(static_cast<double>(wait_us), 71.0 / 3 * kSecond, 10);
  EXPECT_GT(bucket.wait_us(rate, kSecond + wait_us - 1), 0U);
  EXPECT_EQ(bucket.wait_us(rate, kSecond + wait_us), 0U);
  // Nanoseconds that are missing are no token: 333,333,333 were to pass.
  TokenBucket thirds;
  thirds.take({.per_s = 3}, 3, 0);
  EXPECT_EQ(thirds.wait_us({.per_s = 3}, 333'333), 1U);
}

TEST(TokenBucket, WhatIsGivenBackWasNeverTaken) {
  TokenBucket bucket;
  const TokenRate rate{.per_s = 2};
  bucket.take(rate, 2, kSecond);
  bucket.give_back(rate, 2);
  EXPECT_TRUE(bucket.is_full(kSecond));
  TokenBucket fresh;
  fresh.give_back(rate, 5);
  EXPECT_TRUE(fresh.is_full(0));
}

TEST(TokenBucket, IsFullAgainInTime) {
  TokenBucket bucket;
  const TokenRate rate{.per_s = 1, .burst_s = 10};
  bucket.take(rate, 3, kSecond);
  EXPECT_FALSE(bucket.is_full(4 * kSecond - 1));
  EXPECT_TRUE(bucket.is_full(4 * kSecond));
}

}  // namespace
}  // namespace tocsin::net
