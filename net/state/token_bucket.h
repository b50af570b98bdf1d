// How fast somebody may go on: a token bucket. It is one number, the time at which it is full
// again, and so knows nothing of its rate, which may change at any time. Time is an argument.
#pragma once

#include <algorithm>
#include <cstdint>

namespace tocsin::net {

// So many tokens a second come in, and at most `burst_s` seconds' worth are kept. 0: no limit.
struct TokenRate {
  std::uint64_t per_s = 0;
  std::uint32_t burst_s = 1;
};

// Microseconds are of one clock; that it may go back a little (those of shards differ by their
// turns) gives nobody anything.
class TokenBucket {
 public:
  // How long until it has a token; 0: it has one.
  [[nodiscard]] std::uint64_t wait_us(TokenRate rate, std::uint64_t now_us) const {
    if (rate.per_s == 0) return 0;
    const std::uint64_t most_ns = now_us * 1000 + rate.burst_s * kSecondNs;
    const std::uint64_t taken_ns = full_ns_ + cost_ns(rate, 1);
    return taken_ns <= most_ns ? 0 : (taken_ns - most_ns + 999) / 1000;
  }
  // Takes tokens, even such as it does not have: it owes them, and has none until they came in. So
  // what is larger than a burst goes through all the same, and the rate holds over time.
  void take(TokenRate rate, std::uint64_t tokens, std::uint64_t now_us) {
    if (rate.per_s != 0) full_ns_ = std::max(full_ns_, now_us * 1000) + cost_ns(rate, tokens);
  }
  // Takes one if it has one.
  [[nodiscard]] bool try_take(TokenRate rate, std::uint64_t now_us) {
    if (wait_us(rate, now_us) > 0) return false;
    take(rate, 1, now_us);
    return true;
  }
  // They were taken, and are not needed after all.
  void give_back(TokenRate rate, std::uint64_t tokens) {
    if (rate.per_s != 0) full_ns_ -= std::min(full_ns_, cost_ns(rate, tokens));
  }

  [[nodiscard]] bool is_full(std::uint64_t now_us) const { return full_ns_ <= now_us * 1000; }

 private:
  static constexpr std::uint64_t kSecondNs = 1'000'000'000;

  // At most 8 MiB (a publish) at one a second: 2^53 ns.
  static std::uint64_t cost_ns(TokenRate rate, std::uint64_t tokens) {
    return tokens * kSecondNs / rate.per_s;
  }

  std::uint64_t full_ns_ = 0;
};

}  // namespace tocsin::net
