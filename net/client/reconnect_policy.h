// How long a client waits before it comes back; net/client/backoff.h is the rule.
#pragma once

#include <cstdint>

namespace tocsin::net {

// All in milliseconds. Options with initial_min_ms above initial_max_ms are refused.
struct ReconnectPolicy {
  // The first delay is drawn from this range until the server has sent a `retry:`.
  std::uint32_t initial_min_ms = 1'000;
  std::uint32_t initial_max_ms = 3'000;
  // What a server's `retry:` cannot go below: `retry: 0` must not make a busy loop of a fleet.
  std::uint32_t floor_ms = 100;
  // What exponential growth cannot go above. A larger `retry:` of the server is honoured.
  std::uint32_t cap_ms = 60'000;
};

}  // namespace tocsin::net
