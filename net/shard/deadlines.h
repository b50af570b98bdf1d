// When connections are to be looked at again: each one's deadline, and calls of other kinds.
//
// Threads: the shard's.
#pragma once

#include <cstdint>

#include "net/base/timer_wheel.h"
#include "net/shard/connection_table.h"
#include "proto/assert.h"

namespace tocsin::net {

class Deadlines {
 public:
  using Call = TimerWheel::Call;

  // `table` outlives it.
  Deadlines(ConnectionTable& table, std::uint64_t now_ms) : table_(table), wheel_(now_ms) {}

  // Replaces the connection's deadline. REQUIRES: the peer has an attachment.
  void set(std::uint32_t slot, Peer& peer, std::uint64_t at_ms) {
    TOCSIN_ASSERT(peer.attachment != nullptr);
    Attachment& extra = peer.extra();
    extra.deadline_ms = at_ms;
    // It will look again then.
    if (extra.wheel_ms != 0 && extra.wheel_ms < at_ms + TimerWheel::kTickMs) return;
    extra.wheel_ms = wheel_.schedule({.slot = slot, .generation = peer.generation}, at_ms);
  }
  // A look of another kind, besides the deadline.
  void call(std::uint32_t slot, Call kind, std::uint64_t at_ms) {
    const std::uint32_t generation = table_.handle(slot).generation;
    wheel_.schedule({.slot = slot, .generation = generation, .call = kind}, at_ms);
  }

  // `fire(slot, connection, Call)` for each deadline that has passed, which then is none, and for
  // each call.
  template <typename Fire>
  void run(std::uint64_t now_ms, Fire&& fire) {
    wheel_.advance(now_ms, [&](const TimerWheel::Entry& entry) {
      Connection* connection =
          table_.find(ConnectionTable::Handle{.slot = entry.slot, .generation = entry.generation});
      if (connection == nullptr) return;
      if (entry.call == Call::deadline && !has_passed(entry.slot, connection->peer, now_ms)) return;
      fire(entry.slot, *connection, entry.call);
    });
  }
  // See TimerWheel.
  [[nodiscard]] std::uint32_t next_ms(std::uint64_t now_ms, std::uint32_t otherwise) const {
    return wheel_.next_ms(now_ms, otherwise);
  }

 private:
  // The wheel looks at the connection.
  bool has_passed(std::uint32_t slot, Peer& peer, std::uint64_t now_ms) {
    if (!peer.attachment) return false;
    Attachment& extra = peer.extra();
    // Left by an earlier attachment; following it would make one entry more for each.
    if (extra.wheel_ms == 0 || extra.wheel_ms > now_ms) return false;
    extra.wheel_ms = 0;
    const std::uint64_t deadline_ms = extra.deadline_ms;
    if (deadline_ms == 0) return false;
    if (deadline_ms > now_ms) {
      set(slot, peer, deadline_ms);
      return false;
    }
    extra.deadline_ms = 0;
    return true;
  }

  ConnectionTable& table_;
  TimerWheel wheel_;
};

}  // namespace tocsin::net
