// What a server costs, as the kernel counts it: CPU, memory of its processes, memory of sockets.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace tocsin::bench {

struct ServerUsage {
  std::uint64_t cpu_ns = 0;  // user and system, of all threads
  std::uint64_t rss_bytes = 0;
  std::uint64_t pss_bytes = 0;
};

// The whole machine's, so also the client's sockets: compare with a server that holds bare ones.
struct KernelMemory {
  std::uint64_t slab_bytes = 0;    // /proc/meminfo, Slab
  std::uint64_t socket_bytes = 0;  // /proc/net/sockstat, TCP mem (pages of socket buffers)
  std::map<std::string, std::uint64_t> caches;  // /proc/slabinfo (root): pages of each cache
};

// `pids` and all their descendants, found again at each call (nginx forks its workers).
class ServerProbe {
 public:
  explicit ServerProbe(std::vector<pid_t> pids) : pids_(std::move(pids)) {}

  [[nodiscard]] bool is_empty() const { return pids_.empty(); }
  // CPU is the sum over the threads' /proc/PID/task/TID/schedstat (nanoseconds), or, on a kernel
  // without it, utime and stime of stat (10 ms). `with_memory` reads smaps_rollup, which takes the
  // server's mmap lock for a moment.
  [[nodiscard]] ServerUsage usage(bool with_memory) const;

 private:
  [[nodiscard]] std::vector<pid_t> family() const;

  std::vector<pid_t> pids_;
};

// Returns empty slabs to the page allocator first, where permitted (root): otherwise what earlier
// runs left behind hides what this one takes.
[[nodiscard]] KernelMemory kernel_memory();

}  // namespace tocsin::bench
