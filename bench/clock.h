// The clocks of the measuring programs, in nanoseconds. Time is CLOCK_MONOTONIC, the same for all
// processes of a machine.
#pragma once

#include <cstdint>
#include <ctime>

namespace tocsin::bench {

inline std::uint64_t read_clock_ns(clockid_t clock) {
  timespec t{};
  clock_gettime(clock, &t);
  return (static_cast<std::uint64_t>(t.tv_sec) * 1'000'000'000ULL) +
         static_cast<std::uint64_t>(t.tv_nsec);
}

inline std::uint64_t now_ns() {
  return read_clock_ns(CLOCK_MONOTONIC);
}

// User and system time, exact: getrusage counts the same, but only up to the last scheduler tick.
inline std::uint64_t thread_cpu_ns() {
  return read_clock_ns(CLOCK_THREAD_CPUTIME_ID);
}
inline std::uint64_t process_cpu_ns() {
  return read_clock_ns(CLOCK_PROCESS_CPUTIME_ID);
}

inline void sleep_us(long microseconds) {
  const timespec t{.tv_sec = microseconds / 1'000'000,
                   .tv_nsec = (microseconds % 1'000'000) * 1000};
  nanosleep(&t, nullptr);
}

}  // namespace tocsin::bench
