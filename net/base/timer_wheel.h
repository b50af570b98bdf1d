// Deadlines of connections: thousands are set for every one that fires, so setting one is a push
// and nothing is ever taken out.
//
// The wheel holds wake-up calls, not deadlines: an entry says "look at this connection then". Who
// is woken compares with the connection's own deadline, which may have moved on or be gone.
// Resolution kTickMs; an entry fires at its time or up to one tick later, never earlier.
//
// Not thread-safe: one per shard.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "proto/assert.h"

namespace tocsin::net {

class TimerWheel {
 public:
  static constexpr std::uint64_t kTickMs = 64;

  static constexpr std::uint64_t kHorizonTicks = 512;  // 33 s

  // What is to be looked at.
  enum class Call : std::uint8_t {
    deadline,   // the connection's own
    heartbeat,  // a stream with an interval of its own: how long it has been silent
    second_write,
    end,  // a stream whose client's credential expires
  };
  struct Entry {
    std::uint32_t slot = 0;
    std::uint32_t generation = 0;
    Call call = Call::deadline;
  };

  explicit TimerWheel(std::uint64_t now_ms) : tick_(now_ms / kTickMs) {}

  // Returns when it will fire: `at_ms` rounded up to a tick, or earlier beyond the horizon.
  std::uint64_t schedule(Entry entry, std::uint64_t at_ms) {
    // Not before the next tick, and far deadlines at the horizon, where they are set again.
    const std::uint64_t due = (at_ms + kTickMs - 1) / kTickMs;
    const std::uint64_t tick = std::clamp(due, tick_ + 1, tick_ + kHorizonTicks - 1);
    buckets_[tick % kHorizonTicks].push_back(entry);
    ++size_;
    return tick * kTickMs;
  }

  // Calls `fire(Entry)` for all that are due. `fire` may schedule.
  template <typename Fire>
  void advance(std::uint64_t now_ms, Fire&& fire) {
    const std::uint64_t target = now_ms / kTickMs;
    if (target > tick_ + kHorizonTicks)
      tick_ = target - kHorizonTicks;  // each bucket once is enough
    while (tick_ < target) {
      ++tick_;
      TOCSIN_ASSERT(due_.empty());
      due_.swap(buckets_[tick_ % kHorizonTicks]);
      TOCSIN_ASSERT(size_ >= due_.size());
      size_ -= due_.size();
      for (const Entry& entry : due_) fire(entry);
      due_.clear();
    }
  }

  // Milliseconds until the next entry is due; `otherwise` if there is none sooner.
  [[nodiscard]] std::uint32_t next_ms(std::uint64_t now_ms, std::uint32_t otherwise) const {
    if (size_ == 0) return otherwise;
    for (std::uint64_t tick = tick_ + 1; tick < tick_ + kHorizonTicks; ++tick) {
      if (buckets_[tick % kHorizonTicks].empty()) continue;
      const std::uint64_t due = tick * kTickMs;
      const std::uint64_t left = due > now_ms ? due - now_ms : 0;
      return static_cast<std::uint32_t>(std::min<std::uint64_t>(left, otherwise));
    }
    return otherwise;
  }

  [[nodiscard]] std::size_t size() const { return size_; }

 private:
  std::array<std::vector<Entry>, kHorizonTicks> buckets_;
  std::vector<Entry> due_;
  std::uint64_t tick_;
  std::size_t size_ = 0;
};

}  // namespace tocsin::net
