#include "bench/server_probe.h"

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string_view>
#include <system_error>

#include <fmt/format.h>

namespace tocsin::bench {
namespace {

namespace fs = std::filesystem;

std::vector<fs::path> tasks_of(pid_t pid) {
  std::vector<fs::path> tasks;
  std::error_code gone;
  for (fs::directory_iterator it(fmt::format("/proc/{}/task", pid), gone), end; !gone && it != end;
       it.increment(gone)) {
    tasks.push_back(it->path());
  }
  return tasks;
}

void add_family(pid_t pid, std::vector<pid_t>& family) {
  family.push_back(pid);
  for (const fs::path& task : tasks_of(pid)) {
    std::ifstream file(task / "children");
    for (pid_t child = 0; file >> child;) add_family(child, family);
  }
}

std::uint64_t task_cpu_ns(const fs::path& task) {
  std::uint64_t ns = 0;
  if (std::ifstream schedstat(task / "schedstat"); schedstat >> ns) return ns;
  std::ifstream stat(task / "stat");
  std::string text;
  std::getline(stat, text);
  const std::size_t name_end = text.rfind(')');  // the name may hold spaces
  if (name_end == std::string::npos) return 0;
  std::istringstream fields(text.substr(name_end + 1));
  std::string skipped;
  for (int i = 0; i < 11; ++i) fields >> skipped;
  std::uint64_t user = 0;
  std::uint64_t system = 0;
  fields >> user >> system;
  return (user + system) * (1'000'000'000ULL / static_cast<std::uint64_t>(sysconf(_SC_CLK_TCK)));
}

// The number behind `name` in a file of "name number kB" lines, in bytes.
std::uint64_t kb_field(const std::string& path, std::string_view name) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with(name)) continue;
    return std::stoull(line.substr(name.size())) * 1024;
  }
  return 0;
}

std::uint64_t page_bytes() {
  return static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
}

std::uint64_t tcp_memory_bytes() {
  std::ifstream file("/proc/net/sockstat");
  for (std::string line; std::getline(file, line);) {
    const std::size_t at = line.find(" mem ");
    if (line.starts_with("TCP:") && at != std::string::npos) {
      return std::stoull(line.substr(at + 5)) * page_bytes();
    }
  }
  return 0;
}

void shrink_slabs() {
  std::error_code error;
  for (fs::directory_iterator it("/sys/kernel/slab", error), end; !error && it != end;
       it.increment(error)) {
    std::ofstream(it->path() / "shrink") << "1";
  }
}

std::map<std::string, std::uint64_t> slab_caches() {
  std::map<std::string, std::uint64_t> caches;
  std::ifstream file("/proc/slabinfo");
  for (std::string line; std::getline(file, line);) {
    // name active objs size objs/slab pages/slab : tunables . . . : slabdata active_slabs slabs .
    std::istringstream fields(line);
    std::string name;
    std::string skipped;
    std::uint64_t pages_per_slab = 0;
    std::uint64_t slabs = 0;
    fields >> name;
    for (int i = 0; i < 4; ++i) fields >> skipped;
    fields >> pages_per_slab;
    for (int i = 0; i < 8; ++i) fields >> skipped;
    if (fields >> slabs) caches[name] = slabs * pages_per_slab * page_bytes();
  }
  return caches;
}

}  // namespace

std::vector<pid_t> ServerProbe::family() const {
  std::vector<pid_t> family;
  for (const pid_t pid : pids_) add_family(pid, family);
  return family;
}

ServerUsage ServerProbe::usage(bool with_memory) const {
  ServerUsage usage;
  for (const pid_t pid : family()) {
    for (const fs::path& task : tasks_of(pid)) usage.cpu_ns += task_cpu_ns(task);
    if (!with_memory) continue;
    const std::string rollup = fmt::format("/proc/{}/smaps_rollup", pid);
    usage.rss_bytes += kb_field(rollup, "Rss:");
    usage.pss_bytes += kb_field(rollup, "Pss:");
  }
  return usage;
}

KernelMemory kernel_memory() {
  shrink_slabs();
  return {.slab_bytes = kb_field("/proc/meminfo", "Slab:"),
          .socket_bytes = tcp_memory_bytes(),
          .caches = slab_caches()};
}

}  // namespace tocsin::bench
