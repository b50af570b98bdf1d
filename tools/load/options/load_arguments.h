// From what was typed to what is run: scenario, then flags, then recipe, then what contradicts.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tools/load/options/load_flags.h"
#include "tools/load/options/load_options.h"

namespace tocsin::load {

// What of the machine bounds a run; a value, so that a test decides.
struct Machine {
  std::uint32_t cores = 1;           // that this process may use
  std::uint64_t descriptors = 1024;  // of a table: RLIMIT_NOFILE, soft raised to hard
  std::uint32_t ports = 28'232;      // of one address to one destination
  [[nodiscard]] static Machine current();
};

struct LoadArguments {
  std::vector<std::string> words;  // [SCENARIO] [URL]
  std::string recipe = "tocsin";
  // In the order of the table, so that the order on the command line means nothing.
  std::vector<std::pair<Flag, std::string>> common;
  std::vector<std::pair<Flag, std::string>> request;

  [[nodiscard]] bool has(std::string_view long_name) const;
};

struct ResolvedLoad {
  LoadOptions options;  // nothing left to default: threads, sources, seed and topics are set
  std::vector<std::string> warnings;
};

// The error is one line that names the flag.
[[nodiscard]] std::expected<ResolvedLoad, std::string> resolve(const LoadArguments& arguments,
                                                               const Machine& machine);

}  // namespace tocsin::load
