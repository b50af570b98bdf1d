// How fast streams may connect: a token bucket. Pure: time is an argument.
#pragma once

#include <algorithm>
#include <cstdint>

namespace tocsin::load {

class ConnectPace {
 public:
  explicit ConnectPace(double connects_per_s) : per_s_(connects_per_s) {}

  // True: one may connect now, and is counted.
  [[nodiscard]] bool take(std::uint64_t now_ns) {
    if (per_s_ <= 0) return true;
    if (last_ns_ == 0) last_ns_ = now_ns;
    tokens_ += static_cast<double>(now_ns - last_ns_) * 1e-9 * per_s_;
    // What was not used is not made up for, but for the unevenness of a busy machine's wake-ups.
    tokens_ = std::min(tokens_, std::max(1.0, per_s_ * kBurstS));
    last_ns_ = now_ns;
    if (tokens_ < 1) return false;
    tokens_ -= 1;
    return true;
  }
  // After take() has said no: until when.
  [[nodiscard]] std::uint64_t next_ns() const {
    return last_ns_ + static_cast<std::uint64_t>((1 - tokens_) / per_s_ * 1e9) + 1;
  }

 private:
  static constexpr double kBurstS = 0.02;

  double per_s_;  // 0: as fast as it goes
  double tokens_ = 1;
  std::uint64_t last_ns_ = 0;
};

}  // namespace tocsin::load
