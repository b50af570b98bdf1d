#include "tools/demo/timestamp.h"

#include <gtest/gtest.h>

#include "tests/tools/demo/zone.h"

namespace tocsin::demo {
namespace {

using std::chrono::microseconds;
using std::chrono::seconds;

constexpr WallClock::time_point kTime{seconds(1'681'141'735) + microseconds(19'742)};

TEST(Timestamp, SaysTheZone) {
  {
    const Zone zone("<+08>-8");
    EXPECT_EQ(rfc3339(kTime), "2023-04-10T23:48:55+08:00");
    EXPECT_EQ(rfc3339_micros(kTime), "2023-04-10T23:48:55.019742+08:00");
  }
  {
    const Zone zone("<-0330>3:30");
    EXPECT_EQ(rfc3339(kTime), "2023-04-10T12:18:55-03:30");
  }
  const Zone zone("UTC");
  EXPECT_EQ(rfc3339(kTime), "2023-04-10T15:48:55Z");
}

TEST(Timestamp, RoundsDown) {
  const Zone zone("UTC");
  EXPECT_EQ(rfc3339(WallClock::time_point{microseconds(1'999'999)}), "1970-01-01T00:00:01Z");
  EXPECT_EQ(rfc3339_micros(WallClock::time_point{-microseconds(1)}), "1969-12-31T23:59:59.999999Z");
}

}  // namespace
}  // namespace tocsin::demo
