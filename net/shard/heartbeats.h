// Streams that are silent are sent a comment, and never many at once; and those whose time is up
// end, on the same walk through the table.
//
// Threads: the shard's.
#pragma once

#include <cstdint>

#include "net/shard/lifecycle.h"
#include "net/shard/shard_context.h"

namespace tocsin::net {

class Heartbeats {
 public:
  // Both outlive it.
  Heartbeats(ShardContext& shard, Lifecycle& lifecycle) : shard_(shard), lifecycle_(lifecycle) {}

  // Looks at the part of the table that is due. True: it did.
  bool run();
  // When the next part is; 0: never.
  [[nodiscard]] std::uint64_t due_ms() const { return due_ms_; }

  // A stream that asked for an interval of its own (Stream::heartbeat_s): to be looked at in its
  // next quarter.
  void await(std::uint32_t slot, const Stream& stream);
  // That look (Deadlines::Call::heartbeat).
  void look(std::uint32_t slot, Connection& connection);
  // A stream that expires: it is to end at that time, and not by the next walk.
  void await_end(std::uint32_t slot, const Stream& stream);
  // That time may have come (Deadlines::Call::end).
  void look_at_end(std::uint32_t slot, const Connection& connection);
  // A send behind the first (Deadlines::Call::second_write): Varnish keeps what it reads with the
  // head until more comes, which for a stream that comes back is its replay. A comment brings it
  // out. It is no heartbeat, whose steps would follow it.
  void second_write(std::uint32_t slot, Peer& peer);

 private:
  [[nodiscard]] std::uint32_t steps() const;
  void beat_or_end(std::uint32_t slot, std::uint64_t since_own);
  void beat_if_due(std::uint32_t slot, Peer& peer, std::uint64_t since_own,
                   std::uint64_t quarter_ms);
  // Of the hub's streams.
  [[nodiscard]] std::uint32_t number_of(std::uint32_t slot) const {
    return slot * static_cast<std::uint32_t>(shard_.state.hub.shards()) + shard_.id;
  }

  ShardContext& shard_;
  Lifecycle& lifecycle_;
  std::uint64_t due_ms_ = 0;  // see due_ms
  std::uint64_t step_ = 0;    // which part that is
};

}  // namespace tocsin::net
