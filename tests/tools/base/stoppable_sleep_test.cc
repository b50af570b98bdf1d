#include "tools/base/stoppable_sleep.h"

#include <thread>

#include <gtest/gtest.h>

namespace tocsin::tools {
namespace {

using Time = std::chrono::steady_clock::time_point;

TEST(StoppableSleep, EndsWhenItsThreadIsAskedToStop) {
  std::jthread sleeper([](const std::stop_token& stop) { wait_for_stop(stop, Time::max()); });
  sleeper.request_stop();
  sleeper.join();  // else this test hangs
}

TEST(StoppableSleep, EndsAtItsTime) {
  const std::stop_source nobody_stops;
  const Time end = std::chrono::steady_clock::now() + std::chrono::milliseconds(1);
  wait_for_stop(nobody_stops.get_token(), end);
  EXPECT_GE(std::chrono::steady_clock::now(), end);
}

TEST(StoppableSleep, IsNoneBehindItsTime) {
  wait_for_stop(std::stop_source().get_token(), Time());
}

}  // namespace
}  // namespace tocsin::tools
