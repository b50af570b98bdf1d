// When a client comes back after a lost connection.
//
// Pure: no clock, no I/O; the only input besides the calls is the seed. Not thread-safe.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <random>
#include <string_view>

#include "net/client/reconnect_policy.h"

namespace tocsin::net {

// Exponential back-off with full jitter above the floor that the server asks for. With
// [low, high] = the initial range, or [retry, 1.5 * retry] once the server has sent one, the delay
// after n consecutive failures is uniform in [low, min(max(cap, high), high * 2^n)].
class Backoff {
 public:
  Backoff(ReconnectPolicy policy, std::uint64_t seed) : policy_(policy), random_(seed) {}

  // The server's `retry:`, kept until the next one (HTML Living Standard, 9.2.6).
  void set_retry(std::chrono::milliseconds retry) { retry_ = retry; }

  // The connection has shown that it lives: the next failure is the first one again.
  void on_alive() { failures_ = 0; }

  // The delay before the next attempt; counts a failure.
  [[nodiscard]] std::chrono::milliseconds next();

 private:
  ReconnectPolicy policy_;
  std::mt19937_64 random_;
  std::optional<std::chrono::milliseconds> retry_;
  unsigned failures_ = 0;
};

// A Retry-After field (RFC 9110, 10.2.3): seconds, or a date in the IMF-fixdate form; from 0 to one
// day. Nothing if it is neither.
[[nodiscard]] std::optional<std::chrono::milliseconds> parse_retry_after(
    std::string_view text, std::chrono::system_clock::time_point now);

}  // namespace tocsin::net
