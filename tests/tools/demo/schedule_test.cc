#include "tools/demo/schedule.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace tocsin::demo {
namespace {

using namespace std::chrono_literals;

TEST(Schedule, RunsAtOnceAndThenAtIntervals) {
  Schedule schedule;
  std::stop_source stop;
  const auto begin = Schedule::Clock::now();
  std::vector<Schedule::Clock::duration> rounds;
  schedule.every(20ms, [&] {
    rounds.push_back(Schedule::Clock::now() - begin);
    if (rounds.size() == 4) stop.request_stop();
  });
  int never = 0;
  schedule.every(1ms, [&] { ++never; }, 1h);
  schedule.run(stop.get_token());
  ASSERT_EQ(rounds.size(), 4U);
  // Never before their time; how late is up to the machine.
  for (std::size_t i = 0; i < rounds.size(); ++i) EXPECT_GE(rounds[i], i * 20ms);
  EXPECT_EQ(never, 0);
}

TEST(Schedule, LeavesOutWhatWasMissed) {
  Schedule schedule;
  std::stop_source stop;
  int rounds = 0;
  const auto begin = Schedule::Clock::now();
  schedule.every(1ms, [&] {
    if (++rounds == 1) {
      while (Schedule::Clock::now() - begin < 200ms) {  // as if the machine had slept
      }
    }
  });
  schedule.every(1ms, [&] { stop.request_stop(); }, 205ms);
  schedule.run(stop.get_token());
  // Not 200 at once; about five until the end, or fewer on a busy machine.
  EXPECT_LT(rounds, 100);
}

TEST(Schedule, StopsBeforeItBegan) {
  Schedule schedule;
  std::stop_source stop;
  stop.request_stop();
  schedule.every(1ms, [] { FAIL(); });
  schedule.run(stop.get_token());
}

}  // namespace
}  // namespace tocsin::demo
