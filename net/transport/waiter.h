// Time and waiting as a client sees them. Tests put a clock of their own in its place, so that no
// test waits for real time.
#pragma once

#include <poll.h>

#include <chrono>
#include <span>

namespace tocsin::net {

using TimePoint = std::chrono::steady_clock::time_point;

// "No deadline", wherever a deadline is asked for.
inline constexpr TimePoint kNever = TimePoint::max();

// Implementations must be safe to use from several threads at once.
class Waiter {
 public:
  virtual ~Waiter() = default;

  [[nodiscard]] virtual TimePoint now() = 0;

  // poll(2): returns how many of `fds` have events, 0 when `deadline` has passed or for no reason
  // (a signal), so callers loop. Entries with a negative descriptor are ignored. Never fails: an
  // error of poll itself is a bug of the caller or ENOMEM, and counts as "no reason".
  virtual int wait(std::span<pollfd> fds, TimePoint deadline) = 0;
};

// The steady clock and poll(2). Has no state; lives as long as the process.
[[nodiscard]] Waiter& system_waiter();

}  // namespace tocsin::net
