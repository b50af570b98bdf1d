// One core's share of the hub: its listeners, its connections, its timers, and the loop that turns
// them.
//
// A turn of the loop, in this order:
//   wait          for completions, or until there is something to do
//   completions   requests, peers that left, sockets with room again; then accepts
//   mail          answers that came later
//   news          which topics have events that this shard has not swept
//   ready         connections that are owed something: answers, new streams, catch-up
//   sweep         a slice of the subscribers of topics with news; then publishes that waited for it
//   timers        deadlines, slow consumers, heartbeats, the drain
// Phases only note what is to be done for a connection (ready list); sending happens in two places.
//
// This class is the loop, and tells the parts of what happened. Each part owns its fields and has
// the rules that its name says; it calls only parts that stand above it here:
//   ShardContext   what all share: kernel, clock, options, the table of connections
//   Replays        streams that read what is older than the log
//   Outbox         the send path; what came of a send comes back to on_delivery()
//   Subscriptions  how streams leave topics, and topics that nobody reads
//   Sweep          events to the subscribers of topics with news
//   Readers        whose streams they are, and by what right
//   RoutedStreams  what the application is told of streams
//   Lifecycle      the states of connections, and how they end
//   StreamWalks    what administrators ask of all streams
//   PresenceNews   who came and who went, as events
//   SlowReaders    full sockets and the slow-consumer policy
//   Heartbeats     silent streams, and those whose time is up
//   Streams        how streams open, and end with their topic
//   Requests       from received bytes to answers
//   Acceptor       listeners, and room for newcomers
//   Drain          the end, spread over time
//
// Threads: construct and run in the shard's own thread; other threads reach it through ServerState
// and Io::wake().
#pragma once

#include <cstdint>
#include <vector>

#include "net/base/clock.h"
#include "net/http/dispatcher.h"
#include "net/io/io.h"
#include "net/shard/acceptor.h"
#include "net/shard/connection_table.h"
#include "net/shard/drain.h"
#include "net/shard/heartbeats.h"
#include "net/shard/lifecycle.h"
#include "net/shard/outbox.h"
#include "net/shard/past/replays.h"
#include "net/shard/readers/presence_news.h"
#include "net/shard/readers/readers.h"
#include "net/shard/readers/stream_walks.h"
#include "net/shard/requests.h"
#include "net/shard/routed_streams.h"
#include "net/shard/shard_context.h"
#include "net/shard/slow_readers.h"
#include "net/shard/streams.h"
#include "net/shard/subscriptions.h"
#include "net/shard/sweep.h"
#include "net/state/server_state.h"

namespace tocsin::net {

class Shard final : private Outbox::Owner {
 public:
  // `listeners`: descriptors of this thread's table, which stay open for longer than the shard
  // lives; it accepts from them and does nothing else to them, since others may do so, too (see
  // ListenerSet). `state`, `io` and `clock` outlive it.
  Shard(core::ShardId id, ServerState& state, Io& io, const Clock& clock,
        const std::vector<int>& listeners, std::uint64_t seed);
  ~Shard();
  Shard(const Shard&) = delete;
  Shard& operator=(const Shard&) = delete;

  // Turns until the state is stopping, or draining and everything but the listeners is closed.
  void run();
  // True in a thread that runs a shard: it must not wait for what only shards can do.
  [[nodiscard]] static bool runs_here();

  // What run() is made of; the simulation calls them directly.
  void start_accepting() { acceptor_.start(); }
  // One turn of the loop. True: there is more to do.
  bool turn();
  void end_all();

  // The drain is over: everything but the listeners is closed, nobody is accepted any more, and
  // nobody waits for the hub.
  [[nodiscard]] bool drained() const {
    return drain_.has_stopped_accepting() && shard_.table.used() == 0 && !acceptor_.accepting() &&
           !walks_.running() && drain_.all_told();
  }

  // For tests: asserts what must hold between two turns.
  void check_invariants() const;
  [[nodiscard]] const ConnectionTable& connections() const { return shard_.table; }

 private:
  [[nodiscard]] std::uint32_t wait_ms();
  [[nodiscard]] bool busy() const;
  void adopt_options();
  void handle(const Completion& completion);
  void on_delivery(std::uint32_t slot, Delivery outcome) override;
  void deliver_ready() { shard_.ready.deliver(outbox_, shard_.clock, ShardContext::kSliceUs); }
  void sweep();
  void run_timers();
  void on_room(std::uint32_t slot, Connection& connection);
  void on_call(std::uint32_t slot, Connection& connection, Deadlines::Call call);
  void on_deadline(std::uint32_t slot, Connection& connection);
  void maintain();

  ShardContext shard_;
  Replays replays_;
  Outbox outbox_;
  Subscriptions subscriptions_;
  Sweep sweep_;
  Readers readers_;
  RoutedStreams routed_;
  Lifecycle lifecycle_;
  StreamWalks walks_;
  PresenceNews presence_news_;
  SlowReaders slow_readers_;
  Heartbeats heartbeats_;
  Dispatcher http_;
  Streams streams_;
  Requests requests_;
  Acceptor acceptor_;
  Drain drain_;
  std::vector<Completion> completions_;
  bool ordering_ = false;          // some publishes need not wait for the shards any more
  std::uint64_t maintain_ms_ = 0;  // when the hub's housekeeping is due
};

}  // namespace tocsin::net
