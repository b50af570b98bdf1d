// Heartbeats of thousands of streams: when they go out, and that they never go out together. Only
// the clock decides, so every figure here is exact.
#include "tests/sim/world/quiet_fleet.h"

namespace tocsin::sim {
namespace {

constexpr std::size_t kStreams = 20'000;
constexpr std::uint64_t kLatestMs = kIntervalMs * 5 / 4 + kStepMs;

// Half of the streams must wait for at least three quarters of the interval, and all may wait for
// five quarters: an even spread over that half is twice as dense as one over all of it.
constexpr double kDense = 2.1;
constexpr double kEven = 1.1;

void expect_even_from_now_on(QuietFleet& fleet) {
  const std::uint64_t begin = fleet.now();
  fleet.run(6 * kIntervalMs);
  EXPECT_LE(fleet.worst_tenth(begin), kDense);
  EXPECT_LE(fleet.worst_tenth(begin + kIntervalMs * 3 / 2), kEven);
  const auto streams = static_cast<double>(fleet.streams());
  EXPECT_NEAR(static_cast<double>(fleet.beats(begin + 2 * kIntervalMs, begin + 6 * kIntervalMs)),
              4 * streams, streams / 50)
      << "one per interval on average";
  EXPECT_LE(fleet.longest_silence(), kLatestMs);
}

TEST(SimHeartbeat, AreSpreadAfterARampOfAnySpeed) {
  for (const std::uint64_t ms : {std::uint64_t{200}, std::uint64_t{2000}, kIntervalMs / 4,
                                 kIntervalMs, 2 * kIntervalMs + 77}) {
    SCOPED_TRACE(ms);
    QuietFleet fleet(2);
    fleet.open(kStreams, ms);
    fleet.run(100);
    EXPECT_LE(fleet.worst_tenth(0), kDense);
    expect_even_from_now_on(fleet);
  }
}

TEST(SimHeartbeat, AreSpreadAfterABroadcast) {
  Random random(1);
  QuietFleet fleet(2);
  fleet.open(kStreams, 2000);
  for (int i = 0; i < 3; ++i) {
    fleet.run(kIntervalMs + random.below(kIntervalMs));
    const std::uint64_t before = fleet.now();
    fleet.broadcast();
    fleet.run(kIntervalMs * 3 / 4 - 2 * kStepMs);
    EXPECT_EQ(fleet.beats(before + 1, fleet.now()), 0U) << "not before three quarters";
    expect_even_from_now_on(fleet);
  }
}

// However broadcasts come, nobody waits too long and nothing comes at once.
TEST(SimHeartbeat, AreSpreadBetweenBroadcasts) {
  Random random(1);
  QuietFleet fleet(2);
  fleet.open(5000, 1000);
  for (int i = 0; i < 60; ++i) {
    fleet.run(1 + random.below(kIntervalMs * 3));
    fleet.broadcast();
  }
  EXPECT_LE(fleet.worst_tenth(0), kDense);
  EXPECT_LE(fleet.longest_silence(), kLatestMs);
}

// Who gets events more often than that needs no comments.
TEST(SimHeartbeat, AreNotSentBetweenFrequentEvents) {
  QuietFleet fleet(2);
  fleet.open(1000, 100);
  for (int i = 0; i < 50; ++i) {
    fleet.broadcast();
    fleet.run(kIntervalMs * 7 / 10);
  }
  EXPECT_EQ(fleet.beats(0, fleet.now()), 0U);
}

TEST(SimHeartbeat, AreOnePerIntervalWhateverItIs) {
  for (const std::uint32_t interval_s : {1U, 2U, 3U, 7U, 100U}) {
    SCOPED_TRACE(interval_s);
    const std::uint64_t interval_ms = std::uint64_t{interval_s} * 1000;
    QuietFleet fleet(1, interval_s);
    fleet.open(300, interval_ms / 2);
    fleet.run(interval_ms / 3);
    fleet.broadcast();
    const std::uint64_t begin = fleet.now() + 2 * interval_ms;
    fleet.run(6 * interval_ms);
    EXPECT_NEAR(static_cast<double>(fleet.beats(begin, begin + 4 * interval_ms)), 4 * 300, 12);
    EXPECT_LE(fleet.longest_silence(), interval_ms * 5 / 4 + kStepMs);
  }
}

// Many shards with a few streams each, in the same slots of their tables.
TEST(SimHeartbeat, OfManyShardsDoNotMeet) {
  QuietFleet fleet(50);
  fleet.open(500, 100);
  fleet.run(2 * kIntervalMs);
  const std::uint64_t begin = fleet.now();
  fleet.run(4 * kIntervalMs);
  EXPECT_LE(fleet.worst_tenth(begin), 1.5);
  EXPECT_LE(fleet.longest_silence(), kLatestMs);
}

}  // namespace
}  // namespace tocsin::sim
