// Time as the shards see it: an argument to everything below them.
#pragma once

#include <chrono>
#include <cstdint>

namespace tocsin::net {

class Clock {
 public:
  virtual ~Clock() = default;
  // Microseconds of a monotonic clock. From any thread.
  [[nodiscard]] virtual std::uint64_t now_us() const = 0;
};

class SteadyClock final : public Clock {
 public:
  [[nodiscard]] std::uint64_t now_us() const override {
    const auto now = std::chrono::steady_clock::now().time_since_epoch();
    return static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::microseconds>(now).count());
  }
};

}  // namespace tocsin::net
