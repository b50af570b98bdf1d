// When slow readers read, and how much. Pure: time is an argument.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "proto/assert.h"

namespace tocsin::load {

// All slow readers of a receiver read at the same moments: often enough that a socket buffer of
// kBufferBytes lets them read at their rate, and otherwise seldom.
class SlowPace {
 public:
  // SO_RCVBUF of a slow reader (the kernel doubles it for its bookkeeping): small, so that what is
  // not read soon fills the server's side.
  static constexpr int kBufferBytes = 4096;

  explicit SlowPace(double bytes_per_s)
      : bytes_per_s_(bytes_per_s), tick_s_(std::clamp(kBufferBytes / 2 / bytes_per_s, 0.01, 1.0)) {}

  [[nodiscard]] bool reads_nothing() const { return bytes_per_s_ <= 0; }
  [[nodiscard]] std::uint64_t next_ns() const { return next_ns_; }
  // Bytes that each may read now; 0: none yet. REQUIRES: next_ns() <= now_ns.
  [[nodiscard]] std::size_t take(std::uint64_t now_ns) {
    TOCSIN_ASSERT(next_ns_ <= now_ns && last_ns_ <= now_ns);
    next_ns_ = now_ns + static_cast<std::uint64_t>(tick_s_ * 1e9);
    // A second that this process did not run is not made up for.
    const double since_s = last_ns_ == 0 ? 0 : static_cast<double>(now_ns - last_ns_) * 1e-9;
    last_ns_ = now_ns;
    if (reads_nothing()) return 0;
    credit_ += std::min(since_s, 1.0) * bytes_per_s_;
    const auto bytes = static_cast<std::size_t>(credit_);
    credit_ -= static_cast<double>(bytes);
    return bytes;
  }

 private:
  double bytes_per_s_;  // of each; 0: nothing
  double tick_s_;       // a second where nothing is read: then only ends are looked for
  double credit_ = 0;
  std::uint64_t last_ns_ = 0;
  std::uint64_t next_ns_ = 0;
};

}  // namespace tocsin::load
