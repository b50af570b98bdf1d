// When to give memory back to the system: the allocator keeps the pages of what was freed.
//
// Giving much back takes 40 to 110 ms, and threads that need memory from there wait meanwhile:
// hence only what is worth it, when no more is being freed, and not often. It is here and not in
// the hub because the allocator is the program's.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <utility>

namespace tocsin::tools {

class MemoryReturn {
 public:
  // Called about once a second with the bytes in use. Those to be given back now, as far as the
  // allocator can; 0: not now.
  [[nodiscard]] std::uint64_t look(std::uint64_t in_use,
                                   std::chrono::steady_clock::time_point now) {
    most_ = std::max(most_, in_use);
    const bool falling = std::exchange(last_, in_use) > in_use + kStill;
    const std::uint64_t freed = most_ - in_use;
    if (falling || freed < kWorthIt || now < next_) return 0;
    most_ = in_use;
    next_ = now + kPause;
    return freed;
  }

 private:
  static constexpr std::uint64_t kWorthIt = 4 << 20;
  static constexpr std::uint64_t kStill = kWorthIt / 16;  // freed within a second
  static constexpr std::chrono::seconds kPause{60};

  std::uint64_t most_ = 0;  // since memory was given back
  std::uint64_t last_ = 0;
  std::chrono::steady_clock::time_point next_{};
};

}  // namespace tocsin::tools
