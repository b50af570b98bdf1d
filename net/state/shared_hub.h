// The one object that shards share: the hub under its lock, and how to wake who has news.
//
// The lock is held for lookups and copies, never for I/O: tens of nanoseconds to publish an event
// or to find what a send should carry, once per distinct piece of a broadcast and not per
// subscriber.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <mutex>
#include <utility>

#include "core/hub.h"
#include "net/io/io.h"
#include "proto/limits.h"

namespace tocsin::net {

class SharedHub {
 public:
  SharedHub(proto::Epoch epoch, std::size_t shards, core::HubSettings settings,
            const core::HashKey& key)
      : shards_(shards),
        epoch_(epoch),
        data_forms_(!settings.envelope_topics.empty()),
        hub_(epoch, shards, std::move(settings), key) {}
  SharedHub(const SharedHub&) = delete;
  SharedHub& operator=(const SharedHub&) = delete;

  // Runs `use(Hub&)` under the lock; from any thread. References into the hub end with the call,
  // except where core/hub.h says otherwise.
  template <typename Use>
  decltype(auto) with(Use&& use) {
    const std::scoped_lock lock(mutex_);
    return std::forward<Use>(use)(hub_);
  }

  // Some topic may send its data in another form: publishers have to ask which. Before the hub
  // knows of such a topic, so that no publisher misses it.
  [[nodiscard]] bool has_data_forms() const { return data_forms_.load(std::memory_order_relaxed); }
  void set_data_forms() { data_forms_ = true; }

  [[nodiscard]] std::size_t shards() const { return shards_; }
  [[nodiscard]] proto::Epoch epoch() const { return epoch_; }

  // --- sleeping and waking. A shard that is about to wait says so, then looks for news once more;
  // a publisher adds news, then looks who sleeps. One of the two sees the other.

  // `io` outlives its registration; null ends it.
  void set_waker(core::ShardId shard, Io* io) {
    const std::scoped_lock lock(wakers_mutex_);
    wakers_[shard].io = io;
  }
  void going_to_sleep(core::ShardId shard) { wakers_[shard].sleeping.store(true); }
  void awake(core::ShardId shard) {
    wakers_[shard].sleeping.store(false, std::memory_order_relaxed);
  }
  // After a publish, without the hub's lock.
  void wake(const core::ShardSet& shards) {
    shards.for_each([this](core::ShardId shard) {
      Waker& waker = wakers_[shard];
      if (!waker.sleeping.load() || !waker.sleeping.exchange(false)) return;
      const std::scoped_lock lock(wakers_mutex_);
      if (waker.io != nullptr) waker.io->wake();
    });
  }

 private:
  struct alignas(64) Waker {
    std::atomic<bool> sleeping{false};
    Io* io = nullptr;
  };

  const std::size_t shards_;
  const proto::Epoch epoch_;
  std::atomic<bool> data_forms_;
  std::mutex mutex_;
  core::Hub hub_;            // under mutex_
  std::mutex wakers_mutex_;  // only where somebody does have to be woken
  std::array<Waker, limits::kMaxShards> wakers_;
};

}  // namespace tocsin::net
