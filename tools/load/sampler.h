// The timeline of a run, and what a stretch of it cost.
#pragma once

#include <chrono>
#include <cstdint>
#include <stop_token>
#include <thread>
#include <vector>

#include "tools/load/figures/load_result.h"
#include "tools/load/host/server_probe.h"
#include "tools/load/progress.h"
#include "tools/load/subscribers/fleet.h"

namespace tocsin::load {

// Time that the calling thread was ready to run and had no core.
[[nodiscard]] std::uint64_t thread_waited_ns();

// What a phase is measured from.
struct Moment {
  std::uint64_t at_ns = 0;
  std::uint64_t own_cpu_ns = 0;
  std::uint64_t own_waited_ns = 0;
  ServerUsage server;

  [[nodiscard]] static Moment now(const ServerProbe& probe);
  // Everything from this moment until `end`. Run queue times of threads that ended in between are
  // not in it.
  [[nodiscard]] PhaseCost until(const Moment& end) const;
};

// A thread that takes a sample at each interval and shows it.
class Sampler {
 public:
  // The arguments outlive the sampler. `start_ns`: the timeline's zero.
  Sampler(const Fleet& fleet, const PublishProgress& published, const ServerProbe& probe,
          Progress& progress, std::uint64_t start_ns, std::chrono::milliseconds interval);
  // Takes a last sample and ends the thread.
  [[nodiscard]] std::vector<Sample> stop();

 private:
  void work(const std::stop_token& stop);
  void take();

  const Fleet& fleet_;
  const PublishProgress& published_;
  const ServerProbe& probe_;
  Progress& progress_;
  const std::uint64_t start_ns_;
  const std::chrono::milliseconds interval_;
  LatencyHistogram before_;  // latencies at the last sample
  std::vector<Sample> samples_;
  std::jthread thread_;
};

}  // namespace tocsin::load
