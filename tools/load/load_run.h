// One run from its first connection to its last delivery.
#pragma once

#include <atomic>

#include "tools/load/figures/load_result.h"
#include "tools/load/options/load_options.h"
#include "tools/load/progress.h"

namespace tocsin::load {

// The phases, in this order; those that the options do not ask for are left out:
//   history   events are published that nobody hears yet (replay)
//   connect   warm-up subscribers, then the measured rest; memory before and after
//   idle      a window without events
//   publish   events flow, while subscribers leave and come, are cut off, or read slowly
//   drain     until everybody is back that the server ended and that tries again, and everything
//             has arrived; or until nothing of it happened for options.drain_s
//
// Blocks. `options` is complete (resolve()). Raising `stop` ends the run early with what was
// measured. Nothing throws but for lack of memory. failures says all that was not as it should be;
// connected == 0 means that nothing was measured.
[[nodiscard]] LoadResult run_load(const LoadOptions& options, Progress& progress,
                                  const std::atomic<bool>& stop);

}  // namespace tocsin::load
