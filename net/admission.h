// Who may open a stream. At a limit the newcomer is refused; existing streams are never evicted.
//
// Threads: any; one short lock, taken once per stream opened or closed, and only where a limit
// needs it.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <mutex>
#include <optional>
#include <unordered_map>

#include "net/metrics.h"
#include "net/server_options.h"

namespace tocsin::net {

// Refills continuously at `rate` a second up to one second's worth. Time is an argument.
class TokenBucket {
 public:
  // False: empty. `rate` 0: always true.
  [[nodiscard]] bool take(std::uint32_t rate, std::uint64_t now_us) {
    if (rate == 0) return true;
    if (last_us_ == 0) {
      tokens_ = rate;
    } else if (now_us > last_us_) {
      tokens_ += static_cast<double>(now_us - last_us_) * rate / 1e6;
    }
    last_us_ = std::max(last_us_, now_us);  // shards' clocks differ by their turns
    if (tokens_ > rate) tokens_ = rate;
    if (tokens_ < 1) return false;
    tokens_ -= 1;
    return true;
  }

 private:
  double tokens_ = 0;
  std::uint64_t last_us_ = 0;
};

class Admission {
 public:
  // Counts a stream in, or says why not. `peer_key`: Io::peer_key where max_per_address is set.
  [[nodiscard]] std::optional<Rejection> admit(const ServerOptions& options, std::uint64_t peer_key,
                                               std::uint64_t now_us) {
    if (streams_.fetch_add(1, std::memory_order_relaxed) >= options.max_connections) {
      streams_.fetch_sub(1, std::memory_order_relaxed);
      return Rejection::connection_limit;
    }
    const auto refused = admit_limited(options, peer_key, now_us);
    if (refused) streams_.fetch_sub(1, std::memory_order_relaxed);
    return refused;
  }

  // The same key as at admit(); 0 if it was not counted by address.
  void leave(std::uint64_t peer_key) {
    streams_.fetch_sub(1, std::memory_order_relaxed);
    if (peer_key == 0) return;
    const std::scoped_lock lock(mutex_);
    const auto it = by_address_.find(peer_key);
    if (it != by_address_.end() && --it->second == 0) by_address_.erase(it);
  }

  [[nodiscard]] std::uint32_t streams() const { return streams_.load(std::memory_order_relaxed); }

 private:
  std::optional<Rejection> admit_limited(const ServerOptions& options, std::uint64_t peer_key,
                                         std::uint64_t now_us) {
    if (options.accept_rate == 0 && peer_key == 0) return std::nullopt;
    const std::scoped_lock lock(mutex_);
    if (peer_key != 0 && options.max_per_address != 0) {
      const auto it = by_address_.find(peer_key);
      if (it != by_address_.end() && it->second >= options.max_per_address) {
        return Rejection::address_limit;
      }
    }
    if (!bucket_.take(options.accept_rate, now_us)) return Rejection::accept_rate;
    if (peer_key != 0) ++by_address_[peer_key];
    return std::nullopt;
  }

  std::atomic<std::uint32_t> streams_{0};
  std::mutex mutex_;
  TokenBucket bucket_;
  // At most one entry per open stream (a bound: max_connections).
  std::unordered_map<std::uint64_t, std::uint32_t> by_address_;
};

}  // namespace tocsin::net
