#include "tools/load/host/host.h"

#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>

#include <fmt/format.h>

#include "net/base/cores.h"

namespace tocsin::load {
namespace {

std::string processor_name() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    const std::size_t colon = line.find(": ");
    if (line.starts_with("model name") && colon != std::string::npos) return line.substr(colon + 2);
  }
  return {};
}

std::uint64_t not_negative(long value) {
  return static_cast<std::uint64_t>(std::max(value, 0L));
}

}  // namespace

Host this_host() {
  Host host;
  utsname names{};
  if (uname(&names) == 0) {
    host.kernel = fmt::format("{} {} {}", names.sysname, names.release, names.machine);
  }
  host.processor = processor_name();
  host.cores = static_cast<std::uint32_t>(std::max(sysconf(_SC_NPROCESSORS_ONLN), 1L));
  host.allowed_cores = static_cast<std::uint32_t>(net::allowed_cores().size());
  host.memory_bytes = not_negative(sysconf(_SC_PHYS_PAGES)) * not_negative(sysconf(_SC_PAGESIZE));
  return host;
}

}  // namespace tocsin::load
