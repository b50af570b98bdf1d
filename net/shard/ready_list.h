// The connections that are owed something and have room for it, in the order in which they became
// so: what the phases of a turn note, and one phase sends.
//
// Threads: the shard's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "net/base/clock.h"
#include "net/shard/connection_table.h"
#include "net/shard/outbox.h"
#include "proto/limits.h"

namespace tocsin::net {

class ReadyList {
 public:
  // `table` outlives it.
  explicit ReadyList(ConnectionTable& table) : table_(table) {}

  void add(std::uint32_t slot, Peer& peer) {
    // Batched: its outcome says what comes next, and may be that it is blocked.
    if (peer.ready || peer.blocked || peer.batched) return;
    peer.ready = true;
    ready_.push_back(table_.handle(slot));
  }
  [[nodiscard]] bool empty() const { return ready_.empty() && pushed_ == pushing_.size(); }

  // Works off the list as it was, for at most `slice_us` and the rest in the next call; what
  // becomes ready meanwhile comes after. The last ones are left in the outbox's batch.
  void deliver(Outbox& outbox, const Clock& clock, std::uint64_t slice_us) {
    const std::uint64_t until_us = clock.now_us() + slice_us;
    if (pushed_ == pushing_.size()) {
      pushing_.clear();
      pushing_.swap(ready_);
      pushed_ = 0;
    }
    while (pushed_ < pushing_.size()) {
      const ConnectionTable::Handle handle = pushing_[pushed_++];
      Connection* connection = table_.find(handle);
      if (connection != nullptr && connection->peer.ready) {
        connection->peer.ready = false;
        if (!connection->peer.blocked) outbox.push(handle.slot);
      }
      if (pushed_ % limits::kSendBatch == 0 && clock.now_us() > until_us) break;
    }
  }

 private:
  ConnectionTable& table_;
  std::vector<ConnectionTable::Handle> ready_;
  std::vector<ConnectionTable::Handle> pushing_;  // being worked off
  std::size_t pushed_ = 0;                        // of it
};

}  // namespace tocsin::net
