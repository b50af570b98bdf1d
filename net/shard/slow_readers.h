// Full sockets, and readers that fall behind: what a connection waits for, how long it may, and
// what the slow-consumer policy does then.
//
// Threads: the shard's.
#pragma once

#include <cstdint>

#include "core/hub.h"
#include "net/shard/lifecycle.h"
#include "net/shard/past/replays.h"
#include "net/shard/shard_context.h"

namespace tocsin::net {

class SlowReaders {
 public:
  // A blocked stream's distance is looked at this often.
  static constexpr std::uint64_t kCheckMs = 1000;

  // All outlive it.
  SlowReaders(ShardContext& shard, Replays& replays, Lifecycle& lifecycle)
      : shard_(shard), replays_(replays), lifecycle_(lifecycle) {}

  // The socket took a part or nothing: waits for room in it, or (`starved`: the kernel had no
  // memory) for a while.
  void block(std::uint32_t slot, Peer& peer, bool starved);
  // There may be room again. It has no deadline then.
  void unblock(std::uint32_t slot, Connection& connection);

  // A blocked stream, looked at from time to time. What counts is what was published since it
  // opened and has not been taken: how far a replay reaches back says nothing about its reader. Of
  // one that is older than the log it counts only whether its socket takes anything.
  void check(std::uint32_t slot, Connection& connection);
  // A stream was blocked so long that the log went on without it, and the store has no more.
  void on_gap(std::uint32_t slot, Connection& connection);
  // Ends a stream for its slowness. Of a full socket what its reader has left in the kernel's
  // memory is dropped with it.
  void end(std::uint32_t slot);

 private:
  void owe_gap(Connection& connection, core::Sequence behind);
  void skip_to_latest(Connection& connection);

  ShardContext& shard_;
  Replays& replays_;
  Lifecycle& lifecycle_;
};

}  // namespace tocsin::net
