// Heartbeats at an interval that a stream asked for (`heartbeat=`), which is the longest silence.
#include "tests/sim/quiet_fleet.h"

namespace tocsin::sim {
namespace {

// Whatever the hub's own interval is, and none is one.
TEST(SimWishes, AStreamIsNeverSilentForLongerThanItAskedFor) {
  for (const std::uint32_t hub_s : {0U, 1U, kIntervalS}) {
    for (const std::uint32_t own_s : {1U, 4U, 30U, 120U}) {
      SCOPED_TRACE(testing::Message() << own_s << " s of a hub with " << hub_s);
      const std::uint64_t own_ms = std::uint64_t{own_s} * 1000;
      Random random(own_s);
      Fleet fleet(2, hub_s, fmt::format("?heartbeat={}s", own_s));
      fleet.open(300, own_ms / 2);
      for (int i = 0; i < 12; ++i) {
        fleet.run(1 + random.below(own_ms * 2));
        fleet.broadcast();
      }
      fleet.run(2 * own_ms);
      EXPECT_LE(fleet.longest_silence(), own_ms);
      const std::uint64_t begin = fleet.now();
      fleet.run(10 * own_ms);
      const double each = static_cast<double>(fleet.beats(begin, fleet.now())) / 300;
      EXPECT_GE(each, 10.0);
      EXPECT_LE(each, 10.0 * own_s / (0.8 * own_s - 0.2) + 0.5) << "four fifths of it on average";
      EXPECT_LE(fleet.longest_silence(), own_ms);
    }
  }
}

TEST(SimWishes, OfAnIntervalOfTheirOwnAreSpread) {
  constexpr std::uint64_t kOwnMs = 4000;
  constexpr std::uint64_t kMeanMs = kOwnMs * 4 / 5;
  Fleet fleet(2, kIntervalS, "?heartbeat=4s");
  fleet.open(20'000, 50);
  fleet.run(100);
  for (int i = 0; i < 3; ++i) {
    const std::uint64_t begin = fleet.now();
    fleet.run(kOwnMs * 11 / 20);
    EXPECT_EQ(fleet.beats(begin + 1, fleet.now()), 0U) << "not before three quarters of the mean";
    fleet.run(6 * kOwnMs);
    EXPECT_LE(fleet.worst_tenth(begin, kMeanMs / 10), 2.6);
    EXPECT_LE(fleet.worst_tenth(begin + 2 * kOwnMs, kMeanMs / 10), 1.4);
    EXPECT_LE(fleet.longest_silence(), kOwnMs);
    fleet.broadcast();
  }
}

TEST(SimWishes, OfAnIntervalOfTheirOwnDoNotMeetOverManyShards) {
  Fleet fleet(50, kIntervalS, "?heartbeat=15s");
  fleet.open(500, 100);
  fleet.run(2 * kIntervalMs);
  const std::uint64_t begin = fleet.now();
  fleet.run(4 * kIntervalMs);
  EXPECT_LE(fleet.worst_tenth(begin, kTenthMs * 4 / 5), 1.5);
}

TEST(SimWishes, AgeEndsStreamsWithAnIntervalOfTheirOwn) {
  constexpr std::uint32_t kAgeS = 60;
  for (const std::uint32_t hub_s : {0U, kIntervalS}) {
    Fleet fleet(2, hub_s, "?heartbeat=4s", {}, kAgeS);
    fleet.open(300, 1000);
    fleet.run(kAgeS * 700);
    EXPECT_EQ(fleet.open_streams(), 300U);
    fleet.run(kAgeS * 1000);
    EXPECT_EQ(fleet.open_streams(), 0U);
    const std::uint64_t ended = fleet.now();
    fleet.run(10'000);
    EXPECT_EQ(fleet.beats(ended, fleet.now()), 0U);
  }
}

}  // namespace
}  // namespace tocsin::sim
