// What was not as it should be.
#pragma once

#include <string>
#include <vector>

#include "tools/load/figures/load_result.h"
#include "tools/load/options/load_options.h"

namespace tocsin::load {

// What was not as it should be, a sentence each, with the server's own words as it sent them.
// Counters must be zero unless an expectation names them; where subscribers read slowly, the server
// may cut them off and leave out events, and over a deploy it may end all, refuse and leave out
// what it says that it left out.
[[nodiscard]] std::vector<std::string> find_failures(const LoadOptions& options,
                                                     const LoadResult& result);

}  // namespace tocsin::load
