// Spreading what many would do at one moment.
#pragma once

#include <cstdint>
#include <random>

namespace tocsin::net {

// From half of `value` to one and a half, evenly.
[[nodiscard]] inline std::uint32_t jittered(std::uint32_t value, std::minstd_rand& random) {
  return value / 2 + static_cast<std::uint32_t>(random() % (std::uint64_t{value} + 1));
}

}  // namespace tocsin::net
