// How busy this machine is, from /proc.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace tocsin::demo {

// Counters since the machine was started, and what it has now.
struct HostSample {
  std::chrono::steady_clock::time_point taken{};
  std::uint64_t cpu_busy_ticks = 0;  // of all cores together
  std::uint64_t cpu_all_ticks = 0;
  std::uint64_t memory_total_bytes = 0;
  std::uint64_t memory_available_bytes = 0;  // without swapping: caches count as available
  double load1 = 0;
  std::uint64_t received_bytes = 0;  // by all interfaces but the loopback
  std::uint64_t sent_bytes = 0;
  std::uint64_t loopback_bytes = 0;

  // Each from the text of its file; what cannot be read stays as it is.
  void read_stat(std::string_view proc_stat);
  void read_meminfo(std::string_view proc_meminfo);
  void read_loadavg(std::string_view proc_loadavg);
  void read_net_dev(std::string_view proc_net_dev);
};

[[nodiscard]] HostSample sample_host();

// What happened between two samples.
struct HostRates {
  double cpu_percent = 0;  // of all cores
  double received_bytes_per_s = 0;
  double sent_bytes_per_s = 0;
  double loopback_bytes_per_s = 0;
};

// Nothing if no time has passed between them. A counter that went back (an interface is gone)
// counts as no traffic.
[[nodiscard]] std::optional<HostRates> rates(const HostSample& before, const HostSample& now);

}  // namespace tocsin::demo
