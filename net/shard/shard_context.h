// What the parts of a shard share: who it is, its kernel and clock, the time of this turn, and the
// four structures that say which connections there are: the table, the topics that they read, who
// is owed something, and when they are looked at again. All else belongs to one part.
//
// Threads: the shard's.
#pragma once

#include <cstdint>
#include <memory>
#include <random>
#include <span>
#include <vector>

#include "net/base/clock.h"
#include "net/io/io.h"
#include "net/shard/connection_table.h"
#include "net/shard/deadlines.h"
#include "net/shard/local_topics.h"
#include "net/shard/ready_list.h"
#include "net/state/server_state.h"
#include "net/state/trusted_proxies.h"
#include "proto/limits.h"
#include "proto/text/wipe.h"

namespace tocsin::net {

struct ShardContext {
  // How long requests, the ready list or a sweep hold the loop before the others have a turn.
  static constexpr std::uint64_t kSliceUs = 1500;

  // `server`, `kernel` and `time` outlive it.
  ShardContext(core::ShardId shard, ServerState& server, Io& kernel, const Clock& time,
               std::uint64_t seed)
      : id(shard),
        state(server),
        io(kernel),
        clock(time),
        metrics(*server.metrics[shard]),
        options(server.options()),
        access(server.access()),
        proxies(options->trusted_proxies),
        limited(limits_clients(*options)),
        options_version(server.options_version.load()),
        random(static_cast<std::minstd_rand::result_type>(seed | 1)),
        now_us(time.now_us()),
        now_ms(now_us / 1000),
        memory(server.request_memory),
        topics(table),
        ready(table),
        deadlines(table, now_ms),
        scratch(64 * limits::kKiB) {}
  ShardContext(const ShardContext&) = delete;
  ShardContext& operator=(const ShardContext&) = delete;

  // A turn begins.
  void take_time() {
    now_us = clock.now_us();
    now_ms = now_us / 1000;
  }
  // Bytes of requests, which may be credentials, are not needed any more.
  void wipe(std::span<char> received) const {
    if (access != nullptr) proto::wipe(received);
  }
  [[nodiscard]] std::uint32_t now_s() const { return static_cast<std::uint32_t>(now_ms / 1000); }
  [[nodiscard]] std::uint32_t now_ds() const { return static_cast<std::uint32_t>(now_ms / 100); }
  // Of a slice that begins now.
  [[nodiscard]] std::uint64_t slice_end_us() const { return clock.now_us() + kSliceUs; }
  // Ended over drain_timeout_s, or stopping.
  [[nodiscard]] bool is_draining() const {
    return state.phase.load(std::memory_order_relaxed) >= Phase::draining;
  }

  const core::ShardId id;
  ServerState& state;
  Io& io;
  const Clock& clock;
  ShardMetrics& metrics;
  std::shared_ptr<const ServerOptions> options;
  std::shared_ptr<const Access> access;  // null: the hub is open
  TrustedProxies proxies;                // of the options
  bool limited;                          // by the options: clients are looked at
  std::uint32_t options_version;
  std::minstd_rand random;

  std::uint64_t now_us;  // of this turn
  std::uint64_t now_ms;

  ShardRequestMemory memory;  // of requests and their answers; outlives their Exchange
  ConnectionTable table;
  LocalTopics topics;
  ReadyList ready;
  Deadlines deadlines;
  std::vector<char> scratch;  // for reads beyond the first buffer of a turn
};

}  // namespace tocsin::net
