#include "tools/demo/timetable.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace tocsin::demo {
namespace {

using namespace std::chrono_literals;

TEST(Timetable, RunsAtOnceAndThenAtIntervals) {
  Timetable timetable;
  std::stop_source stop;
  const auto begin = std::chrono::steady_clock::now();
  std::vector<std::chrono::steady_clock::duration> rounds;
  timetable.every(20ms, [&] {
    rounds.push_back(std::chrono::steady_clock::now() - begin);
    if (rounds.size() == 4) stop.request_stop();
  });
  int never = 0;
  timetable.every(1ms, [&] { ++never; }, 1h);
  timetable.run(stop.get_token());
  ASSERT_EQ(rounds.size(), 4U);
  // Never before their time; how late is up to the machine.
  for (std::size_t i = 0; i < rounds.size(); ++i) EXPECT_GE(rounds[i], i * 20ms);
  EXPECT_EQ(never, 0);
}

TEST(Timetable, LeavesOutWhatWasMissed) {
  Timetable timetable;
  std::stop_source stop;
  int rounds = 0;
  const auto begin = std::chrono::steady_clock::now();
  timetable.every(1ms, [&] {
    if (++rounds == 1) {
      while (std::chrono::steady_clock::now() - begin < 200ms) {  // as if the machine had slept
      }
    }
  });
  timetable.every(1ms, [&] { stop.request_stop(); }, 205ms);
  timetable.run(stop.get_token());
  // Not 200 at once; about five until the end, or fewer on a busy machine.
  EXPECT_LT(rounds, 100);
}

TEST(Timetable, StopsBeforeItBegan) {
  Timetable timetable;
  std::stop_source stop;
  stop.request_stop();
  timetable.every(1ms, [] { FAIL(); });
  timetable.run(stop.get_token());
}

}  // namespace
}  // namespace tocsin::demo
