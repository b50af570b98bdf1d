#include "net/client/backoff.h"

#include <gtest/gtest.h>

namespace tocsin::net {
namespace {

using std::chrono::milliseconds;

// The least and the greatest of what many seeds draw after `failures` failures.
std::pair<milliseconds, milliseconds> range(ReconnectPolicy policy, int failures,
                                            std::optional<milliseconds> retry = {}) {
  auto least = milliseconds::max();
  auto greatest = milliseconds::min();
  for (std::uint64_t seed = 0; seed < 2000; ++seed) {
    Backoff backoff(policy, seed);
    if (retry) backoff.set_retry(*retry);
    for (int i = 0; i < failures; ++i) static_cast<void>(backoff.next());
    const auto delay = backoff.next();
    least = std::min(least, delay);
    greatest = std::max(greatest, delay);
  }
  return {least, greatest};
}

// Within [low, high], and near both ends: the jitter is full.
void expect_fills(std::pair<milliseconds, milliseconds> seen, int low, int high) {
  EXPECT_GE(seen.first.count(), low);
  EXPECT_LE(seen.second.count(), high);
  const int slack = (high - low) / 50 + 1;
  EXPECT_LE(seen.first.count(), low + slack);
  EXPECT_GE(seen.second.count(), high - slack);
}

TEST(Backoff, FirstDelayIsSpreadOverTheInitialRange) {
  expect_fills(range({}, 0), 1000, 3000);
}

TEST(Backoff, DoublesTheRangeUpToTheCap) {
  expect_fills(range({}, 1), 1000, 6000);
  expect_fills(range({}, 2), 1000, 12000);
  expect_fills(range({}, 4), 1000, 48000);
  expect_fills(range({}, 5), 1000, 60000);
  expect_fills(range({}, 200), 1000, 60000);
}

TEST(Backoff, HonoursTheServersRetryAsAFloor) {
  expect_fills(range({}, 0, milliseconds(5000)), 5000, 7500);
  expect_fills(range({}, 1, milliseconds(5000)), 5000, 15000);
  expect_fills(range({}, 9, milliseconds(5000)), 5000, 60000);
  // Beyond the cap it is the server's word that counts.
  expect_fills(range({}, 9, milliseconds(600'000)), 600'000, 900'000);
}

TEST(Backoff, RetryZeroIsNoBusyLoop) {
  expect_fills(range({}, 0, milliseconds(0)), 100, 150);
}

TEST(Backoff, StartsAgainWhenTheConnectionLived) {
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    Backoff backoff({}, seed);
    for (int i = 0; i < 10; ++i) static_cast<void>(backoff.next());
    backoff.on_alive();
    EXPECT_LE(backoff.next(), milliseconds(3000));
  }
}

TEST(Backoff, SameSeedSameDelays) {
  Backoff a({}, 7);
  Backoff b({}, 7);
  Backoff c({}, 8);
  bool differs = false;
  for (int i = 0; i < 20; ++i) {
    const auto delay = a.next();
    EXPECT_EQ(delay, b.next());
    differs |= delay != c.next();
  }
  EXPECT_TRUE(differs);
}

TEST(RetryAfter, ReadsSecondsAndDates) {
  const std::chrono::system_clock::time_point now{std::chrono::seconds(784111777)};
  const auto read = [&](std::string_view text) { return parse_retry_after(text, now); };
  EXPECT_EQ(read("0"), milliseconds(0));
  EXPECT_EQ(read("120"), milliseconds(120'000));
  EXPECT_EQ(read("99999999999"), milliseconds(86'400'000));
  EXPECT_EQ(read("Sun, 06 Nov 1994 08:49:37 GMT"), milliseconds(0));  // that is `now`
  EXPECT_EQ(read("Sun, 06 Nov 1994 08:50:07 GMT"), milliseconds(30'000));
  EXPECT_EQ(read("Sat, 05 Nov 1994 08:50:07 GMT"), milliseconds(0));
  EXPECT_EQ(read("Sun, 06 Nov 2094 08:50:07 GMT"), milliseconds(86'400'000));
  for (const char* bad : {"", "-1", "1.5", "soon", "18446744073709551616", "1 ",
                          "Sun, 06 Nov 1994 08:49:37 UTC", "Sun, 31 Feb 1994 08:49:37 GMT",
                          "Sun, 06 Nox 1994 08:49:37 GMT", "Sun, xx Nov 1994 08:49:37 GMT"}) {
    EXPECT_EQ(read(bad), std::nullopt) << bad;
  }
}

}  // namespace
}  // namespace tocsin::net
