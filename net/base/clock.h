// Time: one monotonic clock for all that is timed, the same for all processes of a machine, and the
// system's for what others have put a date on. To what stands below the shards it is an argument.
#pragma once

#include <cstdint>
#include <ctime>

#include "proto/assert.h"

namespace tocsin::net {

// Nanoseconds of a clock of clock_gettime(2). REQUIRES: the clock can be read.
[[nodiscard]] inline std::uint64_t read_clock_ns(clockid_t clock) {
  timespec t{};
  [[maybe_unused]] const int failed = clock_gettime(clock, &t);
  TOCSIN_DEBUG_ASSERT(failed == 0);
  return (static_cast<std::uint64_t>(t.tv_sec) * 1'000'000'000ULL) +
         static_cast<std::uint64_t>(t.tv_nsec);
}

// Of CLOCK_MONOTONIC, which std::chrono::steady_clock is, too.
[[nodiscard]] inline std::uint64_t now_ns() {
  return read_clock_ns(CLOCK_MONOTONIC);
}

class Clock {
 public:
  virtual ~Clock() = default;
  // Microseconds of a monotonic clock. From any thread.
  [[nodiscard]] virtual std::uint64_t now_us() const = 0;
  // Seconds since 1970 by the system's clock, which may be set. From any thread.
  [[nodiscard]] virtual std::int64_t unix_s() const {
    return static_cast<std::int64_t>(read_clock_ns(CLOCK_REALTIME_COARSE) / 1'000'000'000);
  }
};

class SteadyClock final : public Clock {
 public:
  [[nodiscard]] std::uint64_t now_us() const override { return now_ns() / 1000; }
};

}  // namespace tocsin::net
