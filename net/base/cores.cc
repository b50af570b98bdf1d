#include "net/base/cores.h"

#include <sched.h>

#include <cstddef>

namespace tocsin::net {

std::vector<int> allowed_cores() {
  constexpr std::size_t kMostSets = 64;  // of 1,024 cores each
  std::vector<int> cores;
  // The kernel refuses a mask that is smaller than its own.
  for (std::size_t n = 1; n <= kMostSets && cores.empty(); n *= 2) {
    std::vector<cpu_set_t> sets(n);
    const std::size_t bytes = n * sizeof(cpu_set_t);
    if (::sched_getaffinity(0, bytes, sets.data()) != 0) continue;
    for (std::size_t i = 0; i < n * CPU_SETSIZE; ++i) {
      if (CPU_ISSET_S(i, bytes, sets.data())) cores.push_back(static_cast<int>(i));
    }
  }
  if (cores.empty()) cores.push_back(0);
  return cores;
}

}  // namespace tocsin::net
