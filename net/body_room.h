// The bound on unfinished request bodies of the whole hub (limits::kMaxBodies).
//
// Shards take from it in portions, so that small bodies, which come and go by the hundred thousand
// a second, write to no memory that shards share.
#pragma once

#include <atomic>
#include <cstdint>

#include "proto/limits.h"

namespace tocsin::net {

// What the shards have taken. Threads: any.
class BodyRoom {
 public:
  // False: so much is not left.
  [[nodiscard]] bool take(std::uint64_t bytes) {
    std::uint64_t taken = taken_.load(std::memory_order_relaxed);
    do {
      if (bytes > limits::kMaxBodies - taken) return false;
    } while (!taken_.compare_exchange_weak(taken, taken + bytes, std::memory_order_relaxed));
    return true;
  }
  void give_back(std::uint64_t bytes) { taken_.fetch_sub(bytes, std::memory_order_relaxed); }

  [[nodiscard]] std::uint64_t taken() const { return taken_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> taken_{0};  // at most limits::kMaxBodies
};

// One shard's bodies, and its part of the room: whole portions, unused ones below two. Not
// thread-safe.
class ShardBodies {
 public:
  // `room` outlives it.
  explicit ShardBodies(BodyRoom& room) : room_(room) {}
  ~ShardBodies() { room_.give_back(granted_); }
  ShardBodies(const ShardBodies&) = delete;
  ShardBodies& operator=(const ShardBodies&) = delete;

  // A body that was `before` bytes long has `now`.
  void count(std::uint64_t before, std::uint64_t now) {
    used_ += now - before;
    constexpr std::uint64_t kPortion = limits::kBodyPortion;
    const std::uint64_t portions = (used_ + kPortion - 1) / kPortion * kPortion;
    if (portions > granted_) {
      if (room_.take(portions - granted_)) granted_ = portions;
    } else if (granted_ - portions >= 2 * kPortion) {
      room_.give_back(granted_ - portions - kPortion);
      granted_ = portions + kPortion;
    }
  }
  // False: bodies have come in for which there was no room. Somebody has to go.
  [[nodiscard]] bool fit() const { return used_ <= granted_; }
  [[nodiscard]] std::uint64_t used() const { return used_; }

 private:
  BodyRoom& room_;
  std::uint64_t used_ = 0;
  std::uint64_t granted_ = 0;  // of room_
};

}  // namespace tocsin::net
