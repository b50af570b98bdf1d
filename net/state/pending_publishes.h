// Publishes that a store has and has yet to answer (core/store.h): who wants to know, and since
// when.
//
// That a batch is committed is told when it is applied here, too: who is told of an id may ask for
// what is behind it at once.
//
// A batch whose events have ids of their publisher may come again while it is pending, as its
// publisher has given up waiting. It then follows the first one: it is not given to the store, and
// its answer is that one's.
//
// Threads: under the hub's lock (SharedHub). Whoever is to be told is returned, because that is
// done without it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <vector>

#include "core/batch.h"
#include "core/hub.h"
#include "core/journal.h"
#include "core/keyed_hash.h"
#include "core/store.h"
#include "net/state/mailbox.h"
#include "net/state/metrics.h"
#include "net/state/publish_queue.h"
#include "proto/limits.h"

namespace tocsin::net {

// For people.
inline constexpr const char* kUnavailable =
    "the history cannot take events at the moment; nothing was published";
inline constexpr const char* kUnknownOutcome =
    "it is unknown whether this was published, as the history's answer is missing: publishing it "
    "again may publish it twice, unless it has a Publish-Id or an Idempotency-Key";

// Of a publish whose key the store knows otherwise, or that has one where the store knows none.
[[nodiscard]] PublishFailure key_failure(core::PublishError why, std::uint64_t expected = 0);

class PendingPublishes {
 public:
  struct Told {
    PublishDone done;
    PublishResult result;
  };

  // `metrics` outlives it. `key`: the hub's.
  PendingPublishes(StoreMetrics& metrics, const core::HashKey& key)
      : metrics_(metrics), key_(key) {}

  // False: nothing more is to be given to the store.
  [[nodiscard]] bool has_room() const {
    return metrics_.pending_bytes.get() < limits::kMaxPendingPublishes;
  }
  // The store has taken a batch of so many bytes (bytes_while_pending). `identity`: others may
  // follow it that are the same. REQUIRES: a new ticket.
  void add(core::Ticket ticket, std::uint64_t bytes, std::uint64_t now_us,
           std::optional<std::size_t> identity = {});
  // Of the batch's topics, ids and bodies; nothing: not every event has an id.
  [[nodiscard]] std::optional<std::size_t> identity_of(
      std::span<const core::NewEvent> events) const;
  // Something is pending that may be followed.
  [[nodiscard]] bool has_identities() const { return !identities_.empty(); }
  // False: the same is not pending. Else it is as if it was added. REQUIRES: a new ticket.
  [[nodiscard]] bool follow(core::Ticket ticket, std::span<const core::NewEvent> events,
                            std::uint64_t now_us);
  // `done` is to be told; at once (returned), if the answer is here already. REQUIRES: the ticket
  // was added, and nobody has asked yet.
  [[nodiscard]] std::optional<Told> ask(core::Ticket ticket, PublishDone done);

  // Since when the oldest of those waits whose answer is not known; `now_us` if there is none.
  [[nodiscard]] std::uint64_t oldest_us(std::uint64_t now_us) const;

  // The rest append to `told` whoever is to be told.

  // The store's answer. False: nobody waits for it. `applied`: what is here.
  [[nodiscard]] bool answer(core::Ticket ticket, const core::StoreAnswer& answer,
                            const core::Journal& applied, std::uint64_t now_us,
                            std::vector<Told>& told);
  // Everything up to `newest` is applied.
  void on_applied(core::Sequence newest, std::uint64_t now_us, std::vector<Told>& told);
  // Nobody waits any more for what was given to the store before `before_us`: of that, what became
  // of it is unknown. UINT64_MAX: of all.
  void give_up(std::uint64_t before_us, std::uint64_t now_us, std::vector<Told>& told);

 private:
  struct Entry {
    std::uint64_t bytes;
    std::uint64_t since_us;
    std::optional<PublishDone> done{};        // somebody has asked
    std::optional<PublishResult> result{};    // it is known what became of it
    std::optional<core::Published> committed{};  // it is, and waits to be applied
    std::optional<std::size_t> identity{};
    std::vector<core::Ticket> followers{};
  };
  using Entries = std::map<core::Ticket, Entry>;

  void settle(Entries::iterator entry, PublishResult&& result, std::uint64_t now_us,
              std::vector<Told>& told);
  void count(const Entry& entry, const PublishResult& result, std::uint64_t now_us);

  StoreMetrics& metrics_;
  const core::HashKey key_;
  Entries entries_;  // tickets rise, so the oldest is the first
  std::multimap<core::Sequence, core::Ticket> committed_;  // by the last event of the batch
  std::map<std::size_t, core::Ticket> identities_;         // of those that others may follow
};

}  // namespace tocsin::net
