// The states of connections (net/shard/connection.h): who is in which, and how they end, which is:
// terminate, join what is in flight, close.
//
// Threads: the shard's.
#pragma once

#include <cstdint>
#include <deque>

#include "core/own_events.h"
#include "net/base/age_list.h"
#include "net/shard/outbox.h"
#include "net/shard/past/replays.h"
#include "net/shard/readers/readers.h"
#include "net/shard/routed_streams.h"
#include "net/shard/shard_context.h"
#include "net/shard/subscriptions.h"
#include "net/shard/sweep.h"

namespace tocsin::net {

class Lifecycle {
 public:
  // All outlive it.
  Lifecycle(ShardContext& shard, Replays& replays, Outbox& outbox, Subscriptions& subscriptions,
            Sweep& sweep, Readers& readers, RoutedStreams& routed);

  // A connection that was accepted: it is in state request, and has an Exchange.
  void begin_request(Peer& peer);
  // Admission counts it as a stream of this client from now on, and not as a request any more.
  void count_as_stream(std::uint32_t slot, Peer& peer, const ClientKeys& client);
  // Its request was for a stream, which ends at this time (see Stream::ends_s). The Exchange ends.
  void begin_stream(std::uint32_t slot, std::uint32_t ends_s);
  // Its last answer is out. The Exchange ends.
  void begin_linger(std::uint32_t slot, Peer& peer);

  // A connection that is no stream was accepted, began a request or was answered: it has `time_ms`
  // for its next step, and all others make room before it (see Acceptor). More bytes of the same
  // request are no progress, or one byte a second would do.
  void progress(std::uint32_t slot, Peer& peer, std::uint64_t time_ms) {
    requests_.renew(slot);
    shard_.deadlines.set(slot, peer, shard_.now_ms + time_ms);
  }

  // Ends a stream on purpose, and never in the middle of an event: the rest of one that was cut and
  // what ends the body go out first. Where the socket does not take them only a reset tells.
  void end_stream(std::uint32_t slot);
  // The same once it has what the log has for it (see Shard::on_delivery), or now if its socket is
  // full: what was acknowledged before reaches who keeps up. REQUIRES: state stream.
  void finish_stream(std::uint32_t slot);
  // Ends a stream that its client may not read any more: at once, with an event that says so.
  // REQUIRES: state stream.
  void withdraw_stream(std::uint32_t slot, core::RightLoss reason);
  // `reset`: what the peer has not read is dropped, and the kernel's memory with it.
  void terminate(std::uint32_t slot, bool reset);
  // Something that was in flight has completed. REQUIRES: state closing.
  void close_if_joined(std::uint32_t slot, Peer& peer);

  // Open streams that end at a time.
  [[nodiscard]] std::uint32_t ending_streams() const { return ending_streams_; }

  // Connections in the states request and linger, by when they made progress.
  [[nodiscard]] AgeList& requests() { return requests_; }
  [[nodiscard]] const AgeList& requests() const { return requests_; }
  // Of these the ones with a part of a body, or answers not taken, by when that moved.
  [[nodiscard]] AgeList& holders() { return holders_; }

 private:
  void change_state(Peer& peer, State next);
  void leave_stream(std::uint32_t slot, Connection& connection);
  void leave_admission(std::uint32_t slot, Peer& peer);

  ShardContext& shard_;
  Replays& replays_;
  Outbox& outbox_;
  Subscriptions& subscriptions_;
  Sweep& sweep_;
  Readers& readers_;
  RoutedStreams& routed_;
  AgeList requests_;
  AgeList holders_;
  std::uint32_t ending_streams_ = 0;  // see ending_streams
  // By slot, of streams: the subject that they are counted by (ClientKeys); empty: of none.
  std::deque<std::uint64_t> subjects_;
};

}  // namespace tocsin::net
