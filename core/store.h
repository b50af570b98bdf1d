// Where a history is kept, and who gives its order: one interface, whether the events are in memory
// (core/memory_store.h), in a file, or in a server that several hubs share.
//
//     Hub::submit ──► Store::append ──► ordered, and kept ──► Hub::apply ──► the publisher's answer
//
// A store that needs nobody for that orders a batch in append(). Any other takes what it needs of
// the batch, and tells its client later, from a thread of its own: which batches are in the
// history, in its order, whoever published them; and what became of the appends, in any order.
//
// Life: made, asked for its beginning(), started, appended to, stopped, destroyed.
//
// What holds, for any store:
//  - what a client is told of is in the history for good (I12), in sequence order, without
//    holes, and batch by batch (I13);
//  - what is appended under a key that is known (core/publish/published_keys.h) is not published
//    again, and answered with where it is; a store whose history survives has its keys with it, in
//    the same commit;
//  - an append is answered with nothing that is not so (I14). An answer may be lost: who waits says
//    `unknown` after a while. Or it may come again: who has had it, or waits no more, drops it.
// A history may fork while hubs are on it. One that was told of nothing that is gone goes on in the
// new epoch; for any other its store is done, and the hub begins anew with another (its readers
// come back with their ids).
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <span>
#include <string_view>

#include "core/batch.h"
#include "core/journal.h"
#include "core/publish/published_keys.h"
#include "proto/assert.h"

namespace tocsin::core {

// Names an append to who made it.
using Ticket = std::uint64_t;

// What became of an append.
struct StoreAnswer {
  enum class Outcome : std::uint8_t {
    pending,    // not known yet: the store's client will be told
    committed,  // it is in the history, at `place`
    refused,    // it is nowhere, and never will be: the store has no room, or cannot be reached
    unknown,    // it may be in the history, now or later: what would say so was lost
    // Only of an append with a key; nothing of it was published now (KeyFinding::Kind).
    repeated,   // the key's batch is in the history, at `place`
    differs,
    hole,
    forgotten,
  };
  Outcome outcome = Outcome::pending;
  Place place{};                // of a batch that is committed, or repeated
  std::uint64_t expected = 0;  // hole and forgotten: the number that comes next

  // The batch is in the history.
  [[nodiscard]] bool is_there() const {
    return outcome == Outcome::committed || outcome == Outcome::repeated;
  }
};

// REQUIRES: it is not fresh.
[[nodiscard]] inline StoreAnswer answer_of(const KeyFinding& finding) {
  using Kind = KeyFinding::Kind;
  using Outcome = StoreAnswer::Outcome;
  TOCSIN_ASSERT(finding.kind != Kind::fresh);
  const Outcome outcome = finding.kind == Kind::repeated  ? Outcome::repeated
                          : finding.kind == Kind::differs ? Outcome::differs
                          : finding.kind == Kind::hole    ? Outcome::hole
                                                          : Outcome::forgotten;
  return {.outcome = outcome, .place = finding.place, .expected = finding.expected};
}

// One commit of a store that answers later, for who counts them; none: what the history takes.
struct CommitFigures {
  std::size_t batches = 0;
  std::size_t events = 0;
  std::uint64_t took_us = 0;       // until it was on the disk, or the server had said so
  std::uint64_t history_bytes = 0;  // that the whole history takes, where it is kept; 0: unknown
};

// How a store stands to the server that keeps the history, where there is one.
struct LinkFigures {
  bool away = false;             // there is no connection to it
  std::uint64_t reconnects = 0;  // times that it was connected to again
  std::uint64_t failovers = 0;   // of these, to another server than before
  Sequence behind = 0;           // events that it has and that the client was not told of yet

  friend bool operator==(const LinkFigures&, const LinkFigures&) = default;
};

class Store {
 public:
  // Whom a store tells that answers later. Called from one thread at a time, which holds no lock
  // that append() or stop() takes: both functions take the hub's, and call back whoever published.
  class Client {
   public:
    // A batch of the history, in its order. One that the client was told of before may come again,
    // and is dropped. `events` end with the call. Their `received`: as it was given to append(), or
    // when the store got them. `age_ms`: how long ago the batch was committed, for what is kept by
    // age. Waits while the hub's shards have to catch up.
    virtual void committed(const Place& place, std::span<const NewEvent> events,
                           TimeMs age_ms) = 0;
    // For a committed batch: before or after the client is told of the batch itself.
    virtual void answered(Ticket ticket, const StoreAnswer& answer) = 0;
    virtual void counted(const CommitFigures& figures) { static_cast<void>(figures); }
    // They have changed.
    virtual void linked(const LinkFigures& figures) { static_cast<void>(figures); }
    // Behind the event that the client was told of last the history goes on in `epoch`, which is
    // none that it had.
    virtual void forked(proto::Epoch epoch) = 0;
    // Events that the client was told of are gone from the history, or some that it was not told of
    // yet. It is told of nothing more but answers, and what is appended is refused. `why`: for the
    // operator.
    virtual void lost(std::string_view why) = 0;

   protected:
    ~Client() = default;
  };

  virtual ~Store() = default;
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;

  // What its hub begins with: the epochs, and the event behind which it will be told of all.
  [[nodiscard]] virtual Journal beginning() const = 0;
  // Nothing is ever pending, and nothing is kept but what the hub has in memory.
  [[nodiscard]] virtual bool orders_at_once() const { return false; }
  // Other hubs have the history, too: a client that comes from one of them may name an event that
  // this one will only be told of.
  [[nodiscard]] virtual bool is_shared() const { return false; }
  // From now on, and until stop(), `client` is told. Before this returns it has been told, in this
  // thread, of what the history has behind beginning(): a hub serves when it has what it had.
  // A store that orders at once has nothing to tell.
  virtual void start(Client& client) { static_cast<void>(client); }
  // Once it returns no call of the client is under way, and none follows. What was appended and is
  // not answered may be in the history or not: nobody waits for it any more. What others may want,
  // such as a lock on a file, is let go; the store itself may live on for a while. Not called by
  // its own thread, nor under a lock that the client takes.
  virtual void stop() {}

  // Called under the hub's lock, so it waits for nothing and calls no client. `pending`: it has
  // taken what it needs of the events (the hub bounds how much is pending,
  // limits::kMaxPendingPublishes, and waits for so long, kMaxStoreAnswerMs). `committed`: at the
  // hub's next place. Never `unknown`. `key`: null if it has none; it ends with the call. Where the
  // key's batch is on its way, the answer is that one's, and comes with it.
  // REQUIRES: it was started, unless it orders at once; Hub::submit() let the events pass; the
  // ticket names no append that is pending.
  [[nodiscard]] virtual StoreAnswer append(std::span<const NewEvent> events, Ticket ticket,
                                           const PublishKey* key) = 0;

  // --- what is older than what its hub has in memory

  static constexpr Sequence kNoPast = std::numeric_limits<Sequence>::max();

  // What is committed above this event can be read. It rises as the oldest events go. kNoPast:
  // nothing is ever read. Any thread, also under the hub's lock.
  [[nodiscard]] virtual Sequence floor() const { return kNoPast; }

  // An event of the history, with its id in it. False: not taken, and nothing more is wanted.
  using TakeEvent = std::function<bool(proto::EventId id, const NewEvent& event)>;
  // Gives the events of (after, until] in their order and without a hole, from the oldest that is
  // there, as long as they are taken; what an event refers to ends with the call. Returns the event
  // right before the first: what stands between `after` and that is gone for good. If it gave none,
  // all is gone up to there, and there may be more behind. Who wants more comes again. Nothing: the
  // history cannot be read at the moment.
  // Waits for a disk or a server, for some seconds at most. From one thread at a time, which holds
  // no lock of the hub's; not before start() nor after stop().
  // REQUIRES: floor() is not kNoPast; after < until; the client was told of `until`.
  [[nodiscard]] virtual std::optional<Sequence> read(Sequence after, Sequence until,
                                                     const TakeEvent& take) {
    static_cast<void>(after);
    static_cast<void>(until);
    static_cast<void>(take);
    return std::nullopt;
  }

 protected:
  Store() = default;
};

}  // namespace tocsin::core
