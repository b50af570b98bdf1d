#include "net/base/process_metrics.h"

#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include "net/base/clock.h"

namespace tocsin::net {
namespace {

// In clock ticks since the machine started: field 22 of proc(5)'s stat. The second field, a name in
// parentheses, may hold blanks and parentheses itself.
std::optional<double> start_ticks() {
  std::ifstream file("/proc/self/stat");
  std::string line;
  if (!std::getline(file, line)) return std::nullopt;
  const std::size_t name_end = line.rfind(')');
  if (name_end == std::string::npos) return std::nullopt;
  std::istringstream fields(line.substr(name_end + 1));
  std::string field;
  constexpr int kBehindName = 22 - 2;
  for (int i = 0; i < kBehindName; ++i) {
    if (!(fields >> field)) return std::nullopt;
  }
  return std::strtod(field.c_str(), nullptr);
}

// Both clocks are read now, so a clock that was set since the start moves it, too.
std::optional<double> start_time() {
  static const auto ticks = start_ticks();
  if (!ticks) return std::nullopt;
  const auto seconds = [](clockid_t clock) {
    return static_cast<double>(read_clock_ns(clock)) / 1e9;
  };
  const double age = seconds(CLOCK_BOOTTIME) - *ticks / static_cast<double>(::sysconf(_SC_CLK_TCK));
  return seconds(CLOCK_REALTIME) - age;
}

void read_memory(ProcessMetrics& metrics) {
  std::ifstream file("/proc/self/statm");
  std::uint64_t size = 0;
  std::uint64_t resident = 0;
  if (!(file >> size >> resident)) return;
  const auto page = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  metrics.virtual_bytes = size * page;
  metrics.resident_bytes = resident * page;
}

void read_threads(ProcessMetrics& metrics) {
  std::error_code error;
  for (const auto& thread : std::filesystem::directory_iterator("/proc/self/task", error)) {
    ++metrics.threads;
    struct stat table{};
    if (::stat((thread.path() / "fd").c_str(), &table) != 0 || table.st_size <= 0) continue;
    metrics.open_descriptors =
        std::max(metrics.open_descriptors.value_or(0), static_cast<std::uint64_t>(table.st_size));
  }
}

}  // namespace

ProcessMetrics read_process_metrics() {
  ProcessMetrics metrics;
  metrics.cpu_seconds = static_cast<double>(read_clock_ns(CLOCK_PROCESS_CPUTIME_ID)) / 1e9;
  metrics.start_time_seconds = start_time();
  read_memory(metrics);
  read_threads(metrics);
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY) {
    metrics.max_descriptors = limit.rlim_cur;
  }
  return metrics;
}

}  // namespace tocsin::net
