// The bound on what connections that are no streams hold in memory, of the whole hub together
// (limits::kMaxRequestMemory): bodies that come in, requests behind one that is not answered yet,
// answers that the peer does not take.
//
// Shards take from it in portions, so that small requests, which come and go by the hundred
// thousand a second, write to no memory that shards share.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <utility>

#include "proto/assert.h"
#include "proto/limits.h"

namespace tocsin::net {

// What the shards have taken. Threads: any.
class RequestMemory {
 public:
  // False: so much is not left.
  [[nodiscard]] bool take(std::uint64_t bytes) {
    std::uint64_t taken = taken_.load(std::memory_order_relaxed);
    do {
      TOCSIN_ASSERT(taken <= limits::kMaxRequestMemory);
      if (bytes > limits::kMaxRequestMemory - taken) return false;
    } while (!taken_.compare_exchange_weak(taken, taken + bytes, std::memory_order_relaxed));
    return true;
  }
  void give_back(std::uint64_t bytes) {
    const auto before = taken_.fetch_sub(bytes, std::memory_order_relaxed);
    TOCSIN_ASSERT(before >= bytes);
  }

  [[nodiscard]] std::uint64_t taken() const { return taken_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> taken_{0};  // at most limits::kMaxRequestMemory
};

// A part of it that one owner has taken, and gives back when it goes.
class RequestMemoryShare {
 public:
  RequestMemoryShare() = default;  // of nothing
  RequestMemoryShare(RequestMemoryShare&& other) noexcept
      : memory_(std::exchange(other.memory_, nullptr)), bytes_(other.bytes_) {}
  RequestMemoryShare& operator=(RequestMemoryShare&& other) noexcept {
    std::swap(memory_, other.memory_);
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  ~RequestMemoryShare() {
    if (memory_ != nullptr) memory_->give_back(bytes_);
  }
  // Nothing: so much is not left. `memory` outlives the share.
  [[nodiscard]] static std::optional<RequestMemoryShare> take(RequestMemory& memory,
                                                              std::uint64_t bytes) {
    if (!memory.take(bytes)) return std::nullopt;
    RequestMemoryShare share;
    share.memory_ = &memory;
    share.bytes_ = bytes;
    return share;
  }

 private:
  RequestMemory* memory_ = nullptr;
  std::uint64_t bytes_ = 0;
};

// What one shard's connections hold, and its part of the bound: whole portions, unused ones below
// two. Not thread-safe.
class ShardRequestMemory {
 public:
  // `hub` outlives it.
  explicit ShardRequestMemory(RequestMemory& hub) : hub_(hub) {}
  ~ShardRequestMemory() { hub_.give_back(granted_); }
  ShardRequestMemory(const ShardRequestMemory&) = delete;
  ShardRequestMemory& operator=(const ShardRequestMemory&) = delete;

  // A connection that held `before` bytes holds `now`.
  void count(std::uint64_t before, std::uint64_t now) {
    TOCSIN_ASSERT(used_ >= before);
    used_ += now - before;
    constexpr std::uint64_t kPortion = limits::kRequestMemoryPortion;
    const std::uint64_t portions = (used_ + kPortion - 1) / kPortion * kPortion;
    if (portions > granted_) {
      if (hub_.take(portions - granted_)) granted_ = portions;
    } else if (granted_ - portions >= 2 * kPortion) {
      hub_.give_back(granted_ - portions - kPortion);
      granted_ = portions + kPortion;
    }
  }
  // False: more has come in than there is room for. Somebody has to go.
  [[nodiscard]] bool fit() const { return used_ <= granted_; }
  [[nodiscard]] std::uint64_t used() const { return used_; }

 private:
  RequestMemory& hub_;
  std::uint64_t used_ = 0;
  std::uint64_t granted_ = 0;  // of hub_
};

}  // namespace tocsin::net
