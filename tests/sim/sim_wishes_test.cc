// What single streams are sent that asked for it, or for whom it was asked: heartbeats at an
// interval of their own (`heartbeat=`), which is the longest silence, and a second write.
#include "net/base/timer_wheel.h"
#include "proto/sse/sse_encode.h"
#include "tests/sim/world/quiet_fleet.h"

namespace tocsin::sim {
namespace {

constexpr std::uint64_t kLatestMs = kIntervalMs * 5 / 4 + kStepMs;

// Whatever the hub's own interval is, and none is one.
TEST(SimWishes, AStreamIsNeverSilentForLongerThanItAskedFor) {
  for (const std::uint32_t hub_s : {0U, 1U, kIntervalS}) {
    for (const std::uint32_t own_s : {1U, 4U, 30U, 120U}) {
      SCOPED_TRACE(testing::Message() << own_s << " s of a hub with " << hub_s);
      const std::uint64_t own_ms = std::uint64_t{own_s} * 1000;
      Random random(own_s);
      QuietFleet fleet(2, hub_s, fmt::format("?heartbeat={}s", own_s));
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
  QuietFleet fleet(2, kIntervalS, "?heartbeat=4s");
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
  QuietFleet fleet(50, kIntervalS, "?heartbeat=15s");
  fleet.open(500, 100);
  fleet.run(2 * kIntervalMs);
  const std::uint64_t begin = fleet.now();
  fleet.run(4 * kIntervalMs);
  EXPECT_LE(fleet.worst_tenth(begin, kTenthMs * 4 / 5), 1.5);
}

TEST(SimWishes, AgeEndsStreamsWithAnIntervalOfTheirOwn) {
  constexpr std::uint32_t kAgeS = 60;
  for (const std::uint32_t hub_s : {0U, kIntervalS}) {
    QuietFleet fleet(2, hub_s, "?heartbeat=4s", {}, kAgeS);
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

// --- the second write behind Varnish

TEST(SimWishes, BehindVarnishACommentFollowsSoon) {
  for (const std::string_view query : {"", "?last_event_id=earliest"}) {
    QuietFleet fleet(1, kIntervalS, query, "X-Varnish: 32770\r\n");
    fleet.broadcast();
    fleet.open(1, 1);
    while (fleet.now() < 6000) fleet.run(1);
    ASSERT_EQ(fleet.first_client().size(), 2U);
    const auto& [first_ms, first] = fleet.first_client()[0];
    const auto& [second_ms, second] = fleet.first_client()[1];
    EXPECT_NE(first.find("\n: ok\n"), std::string::npos);
    EXPECT_EQ(first.find("data: x\n") != std::string::npos, !query.empty()) << "the replay";
    EXPECT_NE(second.find(proto::kHeartbeat), std::string::npos);
    EXPECT_GE(second_ms, first_ms + 20);
    EXPECT_LE(second_ms, first_ms + 20 + 2 * net::TimerWheel::kTickMs);
    fleet.run(kIntervalMs * 10);
    EXPECT_LE(fleet.first_client().size(), 2U + 11U) << "once";
    EXPECT_LE(fleet.longest_silence(), kLatestMs);
  }
  QuietFleet others(1);
  others.open(1, 1);
  others.run(1000);
  EXPECT_EQ(others.first_client().size(), 1U) << "nobody else gets it";
}

}  // namespace
}  // namespace tocsin::sim
