// What the kernel knows of this process, as every Prometheus client library names it.
#pragma once

#include <cstdint>
#include <optional>

namespace tocsin::net {

// Bytes, seconds, counts. What the kernel does not tell is absent.
struct ProcessMetrics {
  double cpu_seconds = 0;
  std::optional<double> start_time_seconds{};  // since the epoch of 1970
  std::optional<std::uint64_t> resident_bytes{};
  std::optional<std::uint64_t> virtual_bytes{};
  // In the fullest of the process's descriptor tables: shards have tables of their own, and
  // `max_descriptors` (the soft RLIMIT_NOFILE) holds for each. From Linux 6.2, where the size of
  // /proc/PID/fd is their count; to count a million entries would stop a shard.
  std::optional<std::uint64_t> open_descriptors{};
  std::optional<std::uint64_t> max_descriptors{};  // absent: unlimited
  std::uint64_t threads = 0;
};

// Reads /proc: some tens of microseconds, and a few more for each thread. From any thread.
[[nodiscard]] ProcessMetrics read_process_metrics();

}  // namespace tocsin::net
