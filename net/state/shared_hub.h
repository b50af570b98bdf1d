// The one object that shards share: the hub under its lock, and how to wake who has news; and who
// is told when the hub's store answers later.
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
#include <memory>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "core/batch.h"
#include "core/hub.h"
#include "core/memory_store.h"
#include "core/store.h"
#include "net/base/clock.h"
#include "net/base/mutex.h"
#include "net/io/io.h"
#include "net/state/metrics.h"
#include "net/state/pending_publishes.h"
#include "net/state/publish_queue.h"
#include "proto/assert.h"
#include "proto/limits.h"

namespace tocsin::net {

class SharedHub final : private core::Store::Client {
 public:
  // Goes on with the history of `store`.
  SharedHub(std::unique_ptr<core::Store> store, std::size_t shards, core::HubSettings settings,
            const core::HashKey& key)
      : shards_(shards),
        shares_history_(store->is_shared()),
        data_forms_(settings.changes_data()),
        store_(*store),
        hub_(std::move(store), shards, std::move(settings), key),
        epoch_(hub_.epoch()),
        pending_(store_metrics_, key) {
    TOCSIN_ASSERT(shards <= limits::kMaxShards);
  }
  // A history that begins and ends with this.
  SharedHub(proto::Epoch epoch, std::size_t shards, core::HubSettings settings,
            const core::HashKey& key)
      : SharedHub(std::make_unique<core::MemoryStore>(epoch), shards, std::move(settings), key) {}
  ~SharedHub() { end(); }
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
    std::uint64_t expected = 0;       // the number that comes next: Hub::publish()
    bool closed = false;              // nothing is published any more
  };
  using Ordered = std::expected<core::Published, Refusal>;

  // As Hub::publish; `busy` as well while others wait, so that none of them is overtaken. Wakes who
  // has news. If it is pending, ask() follows.
  [[nodiscard]] Ordered publish(std::span<const core::NewEvent> events, core::TimeMs now,
                                const core::PublishKey* key = nullptr);
  // `done` is told what became of the batch that publish() has given to the store; before this
  // returns, if that is known already.
  void ask(core::Ticket ticket, PublishDone done);
  // The batch, which was refused as busy, waits; if it need not wait any more, it is published at
  // once.
  void wait(PublishQueue::Waiting&& waiting);
  // Publishes what waits, as far as the shards have caught up, and until `until_us`. Who calls
  // Hub::swept() calls this after it. True: there may be more to do now.
  bool order_waiting(const Clock& clock, std::uint64_t until_us);
  // The hub ends. What would be published from now on, or waits for the shards, is refused
  // (PublishFailure::closed); of what the store has yet to answer nobody will know what became.
  // Whoever waits for either is told, though perhaps by a thread that is not yet done with it.
  void close();
  // Somebody waits to be told what became of a publish.
  [[nodiscard]] bool owes_answers() const { return owed_answers_.load() > 0; }

  // --- a store that answers later (core/store.h)

  // Takes over what it has, before anybody publishes or reads; from now on it may be appended to.
  // `clock`, which outlives this, is that of the shards.
  void start_store(const Clock& clock);
  // Who has waited for the store for limits::kMaxStoreAnswerMs does not wait any more. To be called
  // every second or so.
  void give_up_waiting();
  // Closed, and the store stopped: none of its threads is here any more. From one thread.
  void end();
  // Its own threads may use it (core/store.h says for what).
  [[nodiscard]] core::Store& store() { return store_; }
  [[nodiscard]] const StoreMetrics& store_metrics() const { return store_metrics_; }
  // The store is done (core/store.h: Client::lost): what is here is not the history any more.
  [[nodiscard]] bool history_lost() const { return history_lost_.load(); }
  // How long the oldest publish has waited for the store.
  [[nodiscard]] std::uint64_t store_lag_us();

  // Some topic may send its data in another form: publishers have to ask which. Before the hub
  // knows of such a topic, so that no publisher misses it.
  [[nodiscard]] bool has_data_forms() const { return data_forms_.load(std::memory_order_relaxed); }
  void set_data_forms() { data_forms_ = true; }

  [[nodiscard]] std::size_t shards() const { return shards_; }
  // See core::Store::is_shared().
  [[nodiscard]] bool shares_history() const { return shares_history_; }
  [[nodiscard]] proto::Epoch epoch() const { return epoch_.load(); }

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

  [[nodiscard]] Ordered order(std::span<const core::NewEvent> events, core::TimeMs now,
                              const core::PublishKey* key)
      TOCSIN_LOCKS(requires_capability(mutex_));
  [[nodiscard]] core::Published owe(core::Published&& pending)
      TOCSIN_LOCKS(requires_capability(mutex_));
  [[nodiscard]] std::uint64_t now_us() const;
  void tell(PublishQueue::Waiting& waiting, Ordered&& ordered);
  void tell(std::vector<PendingPublishes::Told>& told);
  void on_swept();
  // Of the store's thread.
  void committed(const core::Place& place, std::span<const core::NewEvent> events,
                 core::TimeMs age_ms) override;
  void answered(core::Ticket ticket, const core::StoreAnswer& answer) override;
  void counted(const core::CommitFigures& figures) override;
  void linked(const core::LinkFigures& figures) override;
  void forked(proto::Epoch epoch) override;
  void lost(std::string_view why) override;

  const std::size_t shards_;
  const bool shares_history_;
  std::atomic<bool> data_forms_;
  core::Store& store_;  // the hub's
  bool store_started_ = false;
  const Clock* clock_ = nullptr;  // null: the store was not started

  Mutex mutex_;
  core::Hub hub_ TOCSIN_LOCKS(guarded_by(mutex_));
  std::atomic<proto::Epoch> epoch_;  // the hub's, changed under mutex_
  PublishQueue queue_ TOCSIN_LOCKS(guarded_by(mutex_));
  StoreMetrics store_metrics_;  // written under mutex_, but for what counted() says
  PendingPublishes pending_ TOCSIN_LOCKS(guarded_by(mutex_));
  core::Ticket tickets_ TOCSIN_LOCKS(guarded_by(mutex_)) = 0;
  bool closed_ TOCSIN_LOCKS(guarded_by(mutex_)) = false;  // nothing is published any more
  std::atomic<bool> has_waiting_{false};                  // changed under mutex_
  std::atomic<std::size_t> owed_answers_{0};  // to be told what became of a publish, or being told
  std::atomic<bool> history_lost_{false};
  std::atomic<bool> store_waits_{false};      // for the shards to catch up; changed under mutex_
  Condition caught_up_;                       // what it waits for
  std::array<SleepFlag, limits::kMaxShards> sleepers_;
  Mutex wakers_mutex_;  // only where somebody does have to be woken
  std::array<Io*, limits::kMaxShards> wakers_ TOCSIN_LOCKS(guarded_by(wakers_mutex_)){};
};

}  // namespace tocsin::net
