// The one object that shards share: the hub under its lock, and how to wake who has news.
//
// The lock is held for lookups and copies, never for I/O: tens of nanoseconds to publish an event
// or to find what a send should carry, once per distinct piece of a broadcast and not per
// subscriber.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <span>
#include <utility>

#include "core/batch.h"
#include "core/hub.h"
#include "net/base/clock.h"
#include "net/base/mutex.h"
#include "net/io/io.h"
#include "net/state/publish_queue.h"
#include "proto/assert.h"
#include "proto/limits.h"

namespace tocsin::net {

class SharedHub {
 public:
  SharedHub(proto::Epoch epoch, std::size_t shards, core::HubSettings settings,
            const core::HashKey& key)
      : shards_(shards),
        epoch_(epoch),
        data_forms_(!settings.envelope_topics.empty()),
        hub_(epoch, shards, std::move(settings), key) {
    TOCSIN_ASSERT(shards <= limits::kMaxShards);
  }
  SharedHub(const SharedHub&) = delete;
  SharedHub& operator=(const SharedHub&) = delete;

  // Runs `use(Hub&)` under the lock; from any thread. References into the hub end with the call,
  // except where core/hub.h says otherwise.
  template <typename Use>
  decltype(auto) with(Use&& use) {
    const MutexLock lock(mutex_);
    return std::forward<Use>(use)(hub_);
  }

  // --- publishing

  struct Refusal {
    core::PublishError why = core::PublishError::busy;
    std::size_t failed = 0;           // index of the event
    std::size_t max_event_bytes = 0;  // of its topic
  };
  using Ordered = std::expected<core::Published, Refusal>;

  // As Hub::publish; `busy` as well while others wait, so that none of them is overtaken. Wakes who
  // has news.
  [[nodiscard]] Ordered publish(std::span<const core::NewEvent> events, core::TimeMs now);
  // The batch, which was refused as busy, waits; if it need not wait any more, it is published at
  // once.
  void wait(PublishQueue::Waiting&& waiting);
  // Publishes what waits, as far as the shards have caught up, and until `until_us`. Who calls
  // Hub::swept() calls this after it. True: there may be more to do now.
  bool order_waiting(const Clock& clock, std::uint64_t until_us);
  // What waits now, or would from now on, is refused: the hub ends (PublishFailure::closed).
  void close_waiting();

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
    TOCSIN_ASSERT(shard < shards_);
    const MutexLock lock(wakers_mutex_);
    TOCSIN_ASSERT(io == nullptr || wakers_[shard] == nullptr);
    wakers_[shard] = io;
  }
  void going_to_sleep(core::ShardId shard) {
    TOCSIN_DEBUG_ASSERT(shard < shards_);
    sleepers_[shard].sleeping.store(true);
  }
  void awake(core::ShardId shard) {
    sleepers_[shard].sleeping.store(false, std::memory_order_relaxed);
  }
  // After a publish, without the hub's lock.
  void wake(const core::ShardSet& shards) {
    shards.for_each([this](core::ShardId shard) {
      std::atomic<bool>& sleeping = sleepers_[shard].sleeping;
      if (!sleeping.load() || !sleeping.exchange(false)) return;
      const MutexLock lock(wakers_mutex_);
      if (wakers_[shard] != nullptr) wakers_[shard]->wake();
    });
  }

 private:
  struct alignas(64) SleepFlag {
    std::atomic<bool> sleeping{false};
  };

  const std::size_t shards_;
  const proto::Epoch epoch_;
  std::atomic<bool> data_forms_;
  [[nodiscard]] Ordered order(std::span<const core::NewEvent> events, core::TimeMs now)
      TOCSIN_LOCKS(requires_capability(mutex_));
  void tell(PublishQueue::Waiting& waiting, Ordered&& ordered);

  Mutex mutex_;
  core::Hub hub_ TOCSIN_LOCKS(guarded_by(mutex_));
  PublishQueue queue_ TOCSIN_LOCKS(guarded_by(mutex_));
  bool closed_ TOCSIN_LOCKS(guarded_by(mutex_)) = false;  // nobody waits any more
  std::atomic<bool> has_waiting_{false};                  // changed under mutex_
  std::array<SleepFlag, limits::kMaxShards> sleepers_;
  Mutex wakers_mutex_;  // only where somebody does have to be woken
  std::array<Io*, limits::kMaxShards> wakers_ TOCSIN_LOCKS(guarded_by(wakers_mutex_)){};
};

}  // namespace tocsin::net
