// What one run of tocsin_bench_client found, as JSON.
#pragma once

#include <cstdint>
#include <string>

#include "bench/client_options.h"
#include "bench/publisher.h"
#include "bench/server_probe.h"
#include "bench/stream_check.h"

namespace tocsin::bench {

// A stretch of the run and what it cost.
struct Phase {
  std::uint64_t wall_ns = 0;
  std::uint64_t server_cpu_ns = 0;
  std::uint64_t client_cpu_ns = 0;  // of this process: near its cores' time, it is what is measured
};

struct RunResult {
  std::uint32_t connected = 0;  // at the end of the ramp
  std::uint32_t refused = 0;
  std::uint32_t dropped = 0;
  std::string first_refusal;
  Phase connect;
  std::uint32_t connect_count = 0;  // subscribers of that phase (without the warm-up)
  Phase reconnect;
  std::uint32_t reconnect_count = 0;
  std::uint64_t reconnect_events = 0;  // published while they reconnected
  Phase idle;
  Phase publish;  // first event to the last delivery
  std::uint64_t receiver_cpu_ns = 0;
  ServerUsage memory_before;
  ServerUsage memory_after;
  KernelMemory kernel_before;
  KernelMemory kernel_after;
  PublishResult published;
  CheckTotals totals;
  bool ok = false;
};

[[nodiscard]] std::string to_json(const ClientOptions& options, const RunResult& result);

}  // namespace tocsin::bench
