// Who may connect and open a stream. At a limit the newcomer is refused; existing streams are never
// evicted.
//
// Threads: any; one short lock, taken once per stream opened or closed, and only where a limit
// needs it; with max_per_address also once per connection.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <unordered_map>

#include "core/keyed_hash.h"
#include "net/base/mutex.h"
#include "net/server_options.h"
#include "net/state/metrics.h"
#include "proto/assert.h"
#include "proto/limits.h"

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
    TOCSIN_ASSERT(tokens_ >= 0 && tokens_ <= rate);
    return true;
  }

 private:
  double tokens_ = 0;
  std::uint64_t last_us_ = 0;
};

class Admission {
 public:
  // `key`: with a known hash whoever has many networks could choose those that make lookups slow.
  explicit Admission(const core::HashKey& key = {}) : by_address_(0, Hash{key}) {}

  // Counts a stream in, or says why not. `peer_key`: Io::peer_key where max_per_address is set,
  // else 0. Every stream that was admitted leaves with the key that it came with.
  [[nodiscard]] std::optional<Rejection> admit_stream(const ServerOptions& options,
                                                      std::uint64_t peer_key,
                                                      std::uint64_t now_us) {
    if (streams_.fetch_add(1, std::memory_order_relaxed) >= options.max_connections) {
      streams_.fetch_sub(1, std::memory_order_relaxed);
      return Rejection::connection_limit;
    }
    const auto refused = admit_limited(options, peer_key, now_us);
    if (refused) streams_.fetch_sub(1, std::memory_order_relaxed);
    return refused;
  }
  void leave_stream(std::uint64_t peer_key) {
    const auto before = streams_.fetch_sub(1, std::memory_order_relaxed);
    TOCSIN_ASSERT(before > 0);
    leave(peer_key, &Clients::streams);
  }

  // The same for a connection that is no stream, or not yet; counted by address alone.
  [[nodiscard]] std::optional<Rejection> admit_request(const ServerOptions& options,
                                                       std::uint64_t peer_key) {
    if (peer_key == 0 || options.max_per_address == 0) return std::nullopt;
    const MutexLock lock(mutex_);
    const auto most = std::max(options.max_per_address, limits::kMinRequestsPerAddress);
    std::uint32_t& requests = by_address_[peer_key].requests;
    if (requests >= most) return Rejection::address_limit;
    ++requests;
    return std::nullopt;
  }
  void leave_request(std::uint64_t peer_key) { leave(peer_key, &Clients::requests); }

  [[nodiscard]] std::uint32_t streams() const { return streams_.load(std::memory_order_relaxed); }

 private:
  struct Hash {
    core::HashKey key;
    std::size_t operator()(std::uint64_t peer_key) const {
      return core::keyed_hash({reinterpret_cast<const char*>(&peer_key), sizeof(peer_key)}, key);
    }
  };

  // Connections of one address.
  struct Clients {
    std::uint32_t streams = 0;
    std::uint32_t requests = 0;
  };

  void leave(std::uint64_t peer_key, std::uint32_t Clients::* count) {
    if (peer_key == 0) return;
    const MutexLock lock(mutex_);
    const auto it = by_address_.find(peer_key);
    if (it == by_address_.end()) return;
    Clients& clients = it->second;
    TOCSIN_ASSERT(clients.streams > 0 || clients.requests > 0);  // else it had gone
    if (clients.*count > 0) --(clients.*count);
    if (clients.streams == 0 && clients.requests == 0) by_address_.erase(it);
  }

  std::optional<Rejection> admit_limited(const ServerOptions& options, std::uint64_t peer_key,
                                         std::uint64_t now_us) {
    if (options.accept_rate == 0 && peer_key == 0) return std::nullopt;
    const MutexLock lock(mutex_);
    if (peer_key != 0 && options.max_per_address != 0) {
      const auto it = by_address_.find(peer_key);
      if (it != by_address_.end() && it->second.streams >= options.max_per_address) {
        return Rejection::address_limit;
      }
    }
    if (!bucket_.take(options.accept_rate, now_us)) return Rejection::accept_rate;
    if (peer_key != 0) ++by_address_[peer_key].streams;
    return std::nullopt;
  }

  std::atomic<std::uint32_t> streams_{0};
  Mutex mutex_;
  TokenBucket bucket_ TOCSIN_LOCKS(guarded_by(mutex_));
  // At most one entry per open connection (bounds: max_connections, limits::kMaxRequestConnections
  // of each shard).
  std::unordered_map<std::uint64_t, Clients, Hash> by_address_ TOCSIN_LOCKS(guarded_by(mutex_));
};

}  // namespace tocsin::net
