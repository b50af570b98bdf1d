#include "tools/check_command.h"

#include <sched.h>

#include <algorithm>
#include <cstdio>

#include <fmt/format.h>

#include "net/system_check.h"
#include "proto/limits.h"
#include "tools/options.h"

namespace tocsin::tools {

int run_check(const OptionFlags& flags, bool quiet) {
  const auto options = flags.load();
  if (!options) {
    fmt::print(stderr, "{}\n", options.error());
    return 2;
  }
  if (quiet) {
    return 0;
  }
  fmt::print("{}", to_toml(*options));
  for (const net::Finding& finding : net::check_system(*options, shard_count(options->shards))) {
    fmt::print(stderr, "warning: {}\n", finding.text());
  }
  return 0;
}

std::uint32_t shard_count(std::uint32_t wanted) {
  if (wanted != 0) {
    return wanted;
  }
  cpu_set_t cores;
  CPU_ZERO(&cores);
  // Fails on machines with more cores than the set holds (1,024): then every shard is worth it.
  const bool known = ::sched_getaffinity(0, sizeof cores, &cores) == 0;
  const auto count = known ? static_cast<std::uint32_t>(CPU_COUNT(&cores))
                           : static_cast<std::uint32_t>(limits::kMaxShards);
  return std::clamp<std::uint32_t>(count, 1, limits::kMaxShards);
}

}  // namespace tocsin::tools
