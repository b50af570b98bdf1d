// What a store in Redis or Valkey is told at its start.
#pragma once

#include <cstdint>

#include "net/redis/redis_url.h"

namespace tocsin::net {

struct RedisOptions {
  RedisUrl url;

  // What the server keeps, to a sixteenth or 16 MiB: the oldest commits go when their bytes are
  // more, or when they are older. 0: no limit. Hubs of one history should agree; the least counts.
  std::uint64_t keep_bytes = 1024ULL * 1024 * 1024;
  std::uint64_t keep_age_ms = 0;
  // Of that a hub reads the newest part at its start, some bytes more or less.
  std::uint64_t load_bytes = 256ULL * 1024 * 1024;

  // Milliseconds for a connection to be made and opened; for a reply; and that the start waits for
  // a server that is not there yet.
  std::uint32_t connect_ms = 5000;
  std::uint32_t answer_ms = 5000;
  std::uint32_t patience_ms = 30'000;
};

}  // namespace tocsin::net
