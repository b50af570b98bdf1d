// The machine that a run was made on.
#pragma once

#include <cstdint>
#include <string>

namespace tocsin::load {

struct Host {
  std::string kernel;     // "Linux 6.1.0 x86_64"
  std::string processor;  // the model's name; empty where the kernel does not tell
  std::uint32_t cores = 1;
  std::uint32_t allowed_cores = 1;  // that this process may run on (sched_getaffinity)
  std::uint64_t memory_bytes = 0;
};

[[nodiscard]] Host this_host();

}  // namespace tocsin::load
