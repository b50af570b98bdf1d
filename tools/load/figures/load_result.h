// What a run found. Filled by the coordinator (load_run.cc) from the receivers, the publishers and
// the probes; read by the reports.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "tools/load/figures/histogram.h"
#include "tools/load/figures/refusal.h"
#include "tools/load/host/server_probe.h"

namespace tocsin::load {

// Deliveries that were checked, of one thread or of all.
struct CheckTotals {
  std::uint64_t delivered = 0;   // events of this run, each counted once for each receiver
  std::uint64_t bytes = 0;       // received, heads included
  std::uint64_t lost = 0;        // never arrived
  std::uint64_t told = 0;        // never arrived, and the server said so (a gap event)
  std::uint64_t away = 0;        // published while a stream was away that never got back
  std::uint64_t duplicated = 0;  // arrived again
  std::uint64_t reordered = 0;   // arrived after a later one
  std::uint64_t corrupted = 0;   // an event that is no whole payload, or a malformed line
  std::uint64_t foreign = 0;     // events of another run
  std::uint64_t typed = 0;       // the server's own events
  std::uint64_t comments = 0;    // heartbeats and greetings
  std::string sample;            // the first odd block, for the report

  void merge(const CheckTotals& other);
};

// A stretch of the run and what it cost.
struct PhaseCost {
  std::uint64_t wall_ns = 0;
  ServerUsage server;               // used in it (memory: at its end)
  std::uint64_t own_cpu_ns = 0;     // of this process
  std::uint64_t own_waited_ns = 0;  // its threads were ready to run and had no core

  [[nodiscard]] double seconds() const { return static_cast<double>(wall_ns) * 1e-9; }
  // In cores, so 0.5 is half of one core's time; 0 without any wall time.
  [[nodiscard]] double server_cores() const;
  [[nodiscard]] double own_cores() const;
};

// One point of the timeline: totals since the start, latencies of the interval before it.
struct Sample {
  double at_s = 0;
  std::uint32_t connected = 0;
  std::uint64_t published = 0;
  std::uint64_t delivered = 0;
  std::uint64_t lost = 0;
  double p50_ms = 0;
  double p99_ms = 0;
  double max_ms = 0;
  std::uint64_t server_cpu_ns = 0;
  std::uint64_t server_rss_bytes = 0;
  std::uint64_t socket_bytes = 0;  // the kernel's TCP memory
  std::uint64_t own_cpu_ns = 0;
};

struct PublishFigures {
  std::uint64_t events = 0;
  std::uint64_t requests = 0;
  std::uint64_t refused = 0;          // answers that are no success
  std::uint64_t events_refused = 0;   // events of those requests
  std::uint64_t uncertain = 0;        // events whose request was cut before its answer
  std::uint64_t failed_connects = 0;  // of connections that had been open before
  std::uint64_t longest_away_ns = 0;  // of a connection: from its loss until it was open again
  std::uint64_t timeouts = 0;         // mode each: events that did not reach all in time
  std::uint64_t duration_ns = 0;      // first request to last answer
  LatencyHistogram lateness;          // written after it was due (mode rate)
  LatencyHistogram answered;          // from the intended time to the answer
  std::string error;                  // the first refusal or loss, or why publishing ended early
  bool ended_early = false;           // `error` says why not all was published
  bool gave_up = false;               // of these: events arrive no more

  // Events that the server has said it took.
  [[nodiscard]] std::uint64_t accepted() const { return events - events_refused - uncertain; }
};

struct MemoryReading {
  ServerUsage server;
  KernelMemory kernel;
};

struct LoadResult {
  std::uint32_t connected = 0;  // at the end of the ramp
  std::uint32_t refused = 0;    // failed connects, and answers that are no stream: their number
  std::uint32_t dropped = 0;    // streams that the server ended, and that were not asked to end
  std::uint32_t refused_meanwhile = 0;  // of them: streams that were open before
  std::uint32_t away = 0;               // that the server ended, and that were not back at the end
  std::uint64_t left = 0;               // churn: streams that left
  std::uint32_t held = 0;               // streams open when all was published and had arrived
  // What the server counted then of this run; nothing: it does not tell. Of the streams that it had
  // before the run as many are taken to have left as it takes to come to `held`.
  std::optional<std::uint64_t> server_streams;
  Refusals refusals;
  Unanswered unanswered;
  std::uint32_t threads = 0;
  std::string io;  // "io_uring", "epoll"

  std::uint32_t connect_count = 0;  // without the warm-up
  PhaseCost connect;
  std::uint32_t reconnect_count = 0;
  PhaseCost reconnect;
  std::uint64_t reconnect_events = 0;  // published meanwhile
  PhaseCost idle;
  PhaseCost publish;           // first event to the last delivery
  std::uint64_t drain_ns = 0;  // waited for deliveries after the last event was published
  MemoryReading before;
  MemoryReading after;

  PublishFigures published;
  CheckTotals totals;
  LatencyHistogram latency;  // intended send time to receipt, of every delivery but the duplicated
  LatencyHistogram connect_latency;  // connect() to the response's head
  LatencyHistogram outage;  // of streams that the server ended: until they had the next head
  std::vector<Sample> timeline;
  std::vector<std::string> bottlenecks;  // why the generator itself may be what was measured
  std::vector<std::string> failures;     // expectations not met; empty: exit status 0

  // Derived figures; nothing where what they need was not measured or is zero. "each" is by
  // connect_count, so without the warm-up; memory is what it grew by, and may be negative.
  [[nodiscard]] std::optional<double> connects_per_s() const;
  [[nodiscard]] std::optional<double> reconnects_per_s() const;
  [[nodiscard]] std::optional<double> events_per_s() const;  // while publishing
  [[nodiscard]] std::optional<double> deliveries_per_s() const;
  [[nodiscard]] std::optional<double> cpu_ns_per_delivery() const;
  [[nodiscard]] std::optional<double> cpu_ns_per_connect() const;
  [[nodiscard]] std::optional<double> rss_bytes_each() const;
  [[nodiscard]] std::optional<double> pss_bytes_each() const;
  [[nodiscard]] std::optional<double> kernel_bytes_each() const;  // slab
  [[nodiscard]] std::optional<double> socket_bytes_each() const;  // the kernel's TCP memory
};

}  // namespace tocsin::load
