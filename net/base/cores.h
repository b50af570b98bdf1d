// The cores of this machine that the process may use.
#pragma once

#include <vector>

namespace tocsin::net {

// Numbers of the cores in the calling thread's affinity mask, rising; at least one. The mask is
// inherited, so before a thread pins itself it is the process'. From any thread.
[[nodiscard]] std::vector<int> allowed_cores();

}  // namespace tocsin::net
