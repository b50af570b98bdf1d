#include "net/base/timer_wheel.h"

#include <map>
#include <random>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/net/support/test_client.h"

namespace tocsin::net {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
constexpr std::uint64_t kTick = TimerWheel::kTickMs;

std::vector<std::uint32_t> fired(TimerWheel& wheel, std::uint64_t now_ms) {
  std::vector<std::uint32_t> slots;
  wheel.advance(now_ms, [&](const TimerWheel::Entry& entry) { slots.push_back(entry.slot); });
  return slots;
}

TEST(TimerWheel, FiresAtItsTimeOrOneTickLaterNeverEarlier) {
  for (std::uint64_t offset = 0; offset < 3 * kTick; ++offset) {
    const std::uint64_t start = 1'000'000;
    TimerWheel wheel(start);
    wheel.schedule({.slot = 7, .generation = 0}, start + offset);
    std::uint64_t now = start;
    while (fired(wheel, now).empty()) ++now;
    EXPECT_GE(now, start + offset);
    EXPECT_LE(now, start + offset + 2 * kTick) << offset;
  }
}

TEST(TimerWheel, SaysWhenAnEntryFires) {
  TimerWheel wheel(10 * kTick);
  EXPECT_EQ(wheel.schedule({}, 20 * kTick), 20 * kTick);
  EXPECT_EQ(wheel.schedule({}, 20 * kTick + 1), 21 * kTick);
  EXPECT_EQ(wheel.schedule({}, 0), 11 * kTick) << "what is overdue fires at the next tick";
  EXPECT_LT(wheel.schedule({}, 100'000 * kTick), 100'000 * kTick) << "beyond the horizon: earlier";
}

TEST(TimerWheel, WhatIsScheduledWhileFiringWaitsForItsTurn) {
  TimerWheel wheel(0);
  wheel.schedule({.slot = 1, .generation = 0}, kTick);
  int calls = 0;
  const auto again = [&](const TimerWheel::Entry& entry) {
    ++calls;
    wheel.schedule(entry, 0);
  };
  wheel.advance(kTick, again);
  EXPECT_EQ(calls, 1);
  wheel.advance(2 * kTick, again);
  EXPECT_EQ(calls, 2);
}

TEST(TimerWheel, SaysHowLongToSleep) {
  TimerWheel wheel(0);
  EXPECT_EQ(wheel.next_ms(0, 1000), 1000U);
  wheel.schedule({}, 5 * kTick);
  EXPECT_EQ(wheel.next_ms(0, 1000), 5 * kTick);
  EXPECT_EQ(wheel.next_ms(5 * kTick - 1, 1000), 1U);
  EXPECT_EQ(wheel.next_ms(6 * kTick, 1000), 0U) << "overdue";
  EXPECT_EQ(wheel.next_ms(0, 10), 10U);
  EXPECT_THAT(fired(wheel, 5 * kTick), ElementsAre(0));
  EXPECT_EQ(wheel.next_ms(5 * kTick, 1000), 1000U);
  EXPECT_EQ(wheel.size(), 0U);
}

// A machine that slept, a shard that was stopped: everything is due at once, nothing is lost.
TEST(TimerWheel, CatchesUpAfterALongPause) {
  TimerWheel wheel(0);
  for (std::uint32_t i = 1; i <= 400; ++i) wheel.schedule({.slot = i, .generation = 0}, i * kTick);
  EXPECT_EQ(fired(wheel, 1'000'000'000).size(), 400U);
  EXPECT_THAT(fired(wheel, 2'000'000'000), IsEmpty());
  wheel.schedule({.slot = 5, .generation = 0}, 2'000'000'000 + kTick);
  EXPECT_THAT(fired(wheel, 2'000'000'000 + 2 * kTick), ElementsAre(5));
}

TEST(TimerWheel, RandomEntriesEachFireOnceAndOnTime) {
  std::mt19937_64 random(test_seed());
  TimerWheel wheel(0);
  std::map<std::uint32_t, std::uint64_t> due;
  std::uint64_t now = 0;
  for (std::uint32_t slot = 0; slot < 5000; ++slot) {
    const std::uint64_t at = now + random() % 20'000;
    due[slot] = at;
    EXPECT_GE(wheel.schedule({.slot = slot, .generation = 0}, at), at);
    now += random() % 50;
    for (const std::uint32_t late : fired(wheel, now)) {
      ASSERT_EQ(due.count(late), 1U) << "twice";
      EXPECT_LE(due[late], now) << "early";
      due.erase(late);
    }
  }
  for (const std::uint32_t late : fired(wheel, now + 20'000 + 2 * kTick)) due.erase(late);
  EXPECT_THAT(due, IsEmpty());
}

}  // namespace
}  // namespace tocsin::net
