// Whether a run measured the server, or the generator itself.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tools/load/figures/load_result.h"
#include "tools/load/options/load_options.h"

namespace tocsin::load {

// Sentences that say why the generator itself may be what was measured; empty if nothing speaks for
// it. They are hints by thresholds (bottleneck.cc has them with their reasons), not proofs. Shares
// are of a whole phase's wall time: to deliver one event to many streams always keeps the client
// busy for the burst, which is no bottleneck.
//
// `allowed_cores`: that this process may run on.
[[nodiscard]] std::vector<std::string> find_bottlenecks(const LoadOptions& options,
                                                        const LoadResult& result,
                                                        std::uint32_t allowed_cores);
// On this machine.
[[nodiscard]] std::vector<std::string> find_bottlenecks(const LoadOptions& options,
                                                        const LoadResult& result);

}  // namespace tocsin::load
