// The least that a Redis server takes from who writes to who waits: an XADD on one connection, and
// a reader on another one that waits for it with XREAD BLOCK.
#pragma once

#include <cstddef>
#include <cstdint>

namespace tocsin::bench {

struct ProbeFigures {
  std::size_t entries = 0;
  double p50_us = 0;  // from before the XADD is sent until the reader has the entry
  double p99_us = 0;
};

// To the server on this port of 127.0.0.1, entries of `bytes`, so many a second, each in a stream
// that goes afterwards. What fails ends the program.
[[nodiscard]] ProbeFigures probe_redis(std::uint16_t port, std::uint32_t bytes, double rate,
                                       double seconds);

}  // namespace tocsin::bench
