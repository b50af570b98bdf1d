// Counts what this program takes from the heap: linking allocation_count.cc replaces operator new.
#pragma once

#include <cstdint>

namespace tocsin::bench {

// Calls of operator new by this thread so far.
[[nodiscard]] std::uint64_t allocations();

}  // namespace tocsin::bench
