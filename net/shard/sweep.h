// The sweep: brings every subscriber of the topics that had news at one moment past that moment, a
// slice of them in each turn of the loop.
//
// A subscriber whose socket takes all that it was given, and for whom there is more below the cut,
// is left over: it goes on by way of the ready list, and the sweep is over when nobody is. Who is
// behind by its own doing is not waited for, or a few such readers would hold back everybody's
// events, and publishers: neither blocked ones, nor those that are catching up, after a full socket
// or from the position in the history at which they began. They go on by way of the ready list,
// and the log keeps for them what it keeps for slow ones. Those that read what is older than the
// log (Replays) are not even visited.
//
// Threads: the shard's.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/hub.h"
#include "net/shard/outbox.h"
#include "net/shard/shard_context.h"
#include "net/shard/subscriptions.h"

namespace tocsin::net {

class Sweep {
 public:
  // All outlive it.
  Sweep(ShardContext& shard, Outbox& outbox, Subscriptions& subscriptions)
      : shard_(shard), outbox_(outbox), subscriptions_(subscriptions) {}

  // Begins one if there are news and none is running.
  void collect();
  // Visits subscribers for a slice of a turn, and sends the outbox's batch with what was in it
  // before: answers and events, where few readers have few events, are one system call. True: that
  // ended the sweep.
  bool slice();
  [[nodiscard]] bool running() const { return running_; }
  // Of the sweep that ended last: its topics that were removed (LocalTopic::ending), whose readers
  // have what was published before.
  [[nodiscard]] const std::vector<std::uint32_t>& removed() const { return removed_; }
  // The shard ends: it holds back nobody any more.
  void abandon();

  // The outcome of a connection's send, whoever asked for it.
  void settle(Stream& stream, Delivery outcome) {
    // At the cut it is up to date, whatever came since: a fast reader of a busy topic has `more`
    // for ever, and the next sweep must not wait for it.
    const bool behind = outcome == Delivery::more && stream.cursor < cut_;
    if (stream.leftover && !behind) forget(stream);
    if (stream.catching_up) stream.catching_up = !has_caught_up(stream, outcome);
  }
  // Nothing of the sweep is owed to the stream any more.
  void forget(Stream& stream) {
    if (!stream.leftover) return;
    stream.leftover = false;
    --leftovers_;
  }
  // A subscriber has changed its place among the topic's, perhaps to one that the sweep has passed:
  // it is looked at by way of the ready list, so that nobody is skipped.
  void on_moved(std::uint32_t slot, std::uint32_t topic);

  // Connections that are left over.
  [[nodiscard]] std::uint32_t leftovers() const { return leftovers_; }

 private:
  void fetch_first_readers() const;
  bool sweep_topic(std::uint64_t until_us);
  void visit(std::uint32_t slot);
  void finish();
  [[nodiscard]] bool has_caught_up(const Stream& stream, Delivery outcome) const {
    if (stream.replaying) return false;
    return outcome == Delivery::done ||
           (outcome == Delivery::more && stream.cursor >= std::max(cut_, stream.opened_at));
  }
  void leave_over(Stream& stream) {
    if (stream.leftover || stream.catching_up) return;
    stream.leftover = true;
    ++leftovers_;
  }

  ShardContext& shard_;
  Outbox& outbox_;
  Subscriptions& subscriptions_;

  core::Collected collected_;
  std::vector<std::uint32_t> topics_;   // local
  std::vector<std::uint32_t> removed_;  // see removed
  std::size_t topic_ = 0;               // index in topics_
  std::size_t visited_ = 0;             // subscribers of it so far
  std::size_t start_ = 0;               // where in its subscribers it began
  std::size_t next_ = 0;                // whom it visits next
  core::Sequence cut_ = 0;              // who is at or past it needs nothing
  std::uint32_t leftovers_ = 0;         // visited, took all that was given, and more is to come
  bool wrapped_ = false;                // true exactly when next_ is on the way from 0 to start_
  bool running_ = false;
};

}  // namespace tocsin::net
