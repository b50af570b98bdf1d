#include "tools/check_command.h"

#include <cstdio>

#include <fmt/format.h>

#include "net/system_check.h"
#include "tools/options.h"

namespace tocsin::tools {

int run_check(const OptionFlags& flags, bool quiet) {
  const auto options = flags.load();
  if (!options) {
    flags.complain(options.error());
    return 2;
  }
  if (quiet) {
    return 0;
  }
  fmt::print("{}", to_toml(*options));
  for (const net::Finding& finding :
       net::check_system(*options, net::shard_count(options->shards))) {
    flags.complain("warning: " + finding.text());
  }
  return 0;
}

}  // namespace tocsin::tools
