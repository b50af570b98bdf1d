// What a server costs, as the kernel counts it: CPU, switches and memory of its processes, memory
// of sockets.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <expected>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace tocsin::load {

struct ServerUsage {
  std::uint64_t cpu_ns = 0;     // user and system, of all threads
  std::uint64_t user_ns = 0;    // the part of it in user space (10 ms steps)
  std::uint64_t system_ns = 0;  // the part of it in the kernel (10 ms steps)
  std::uint64_t voluntary_switches = 0;
  std::uint64_t involuntary_switches = 0;
  std::uint64_t rss_bytes = 0;
  std::uint64_t pss_bytes = 0;  // 0 where it was not asked for or not permitted

  // CPU and switches since `earlier`, memory of this reading. Never below 0, which a process that
  // ended between the two would otherwise bring about.
  [[nodiscard]] ServerUsage since(const ServerUsage& earlier) const;
};

// The whole machine's, so also the generator's own sockets.
struct KernelMemory {
  std::uint64_t slab_bytes = 0;    // /proc/meminfo, Slab
  std::uint64_t socket_bytes = 0;  // /proc/net/sockstat, TCP mem (pages of socket buffers)
  std::map<std::string, std::uint64_t> caches;  // /proc/slabinfo (root): pages of each cache
};

// `pids` and all their descendants, found again at each call (nginx forks its workers).
class ServerProbe {
 public:
  explicit ServerProbe(std::vector<pid_t> pids) : pids_(std::move(pids)) {}
  // The main process of a systemd unit, asked of systemctl. A name that systemd would not accept,
  // or that is a pattern, is refused before anything is started.
  [[nodiscard]] static std::expected<pid_t, std::string> main_pid(const std::string& unit);

  [[nodiscard]] bool is_empty() const { return pids_.empty(); }
  // CPU is each process's clock (clock_getcpuclockid(3): nanoseconds, threads that have ended
  // included), or utime and stime where that is refused. `with_memory` reads smaps_rollup, which
  // takes the server's mmap lock for a moment; without it, and where another user's processes do
  // not permit it, RSS is from statm and there is no PSS. What has ended counts as nothing.
  [[nodiscard]] ServerUsage usage(bool with_memory) const;

 private:
  [[nodiscard]] std::vector<pid_t> family() const;

  std::vector<pid_t> pids_;
};

// `shrink`: returns empty slabs to the page allocator first, where permitted (root); otherwise what
// earlier runs left behind hides what this one takes.
[[nodiscard]] KernelMemory kernel_memory(bool shrink);

}  // namespace tocsin::load
