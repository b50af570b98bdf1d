// One core's share of the hub: its listeners, its connections, its timers, and the loop that turns
// them.
//
// A turn of the loop, in this order:
//   wait          for completions, or until there is something to do
//   completions   requests, peers that left, sockets with room again; then accepts
//   news          which topics have events that this shard has not swept
//   ready         connections that are owed something: answers, new streams, catch-up
//   sweep         a slice of the subscribers of topics with news
//   timers        deadlines, slow consumers, heartbeats, the drain
// Phases only note what is to be done for a connection (ready list); sending happens in two places.
//
// Files: shard.cc the loop; shard_accept.cc listeners; shard_request.cc from bytes to an answer;
// shard_stream.cc streams; shard_close.cc how connections end; shard_application.cc what the
// application is told, writes and ends; shard_timers.cc what time does.
//
// Threads: construct and run in the shard's own thread; other threads reach it through ServerState
// and Io::wake().
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <random>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "net/base/clock.h"
#include "net/http/request_handler.h"
#include "net/io/io.h"
#include "net/shard/age_list.h"
#include "net/shard/connection_table.h"
#include "net/shard/local_topics.h"
#include "net/shard/outbox.h"
#include "net/shard/timer_wheel.h"
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
  void start_accepting();
  // One turn of the loop. True: there is more to do.
  bool turn();
  void end_all();

  // The drain is over: everything but the listeners is closed, and nobody is accepted any more.
  [[nodiscard]] bool drained() const {
    return drain_begin_ms_ != 0 && table_.used() == 0 && !accepting();
  }

  // For tests: asserts what must hold between two turns.
  void check_invariants() const;
  [[nodiscard]] const ConnectionTable& connections() const { return table_; }

 private:
  // How long requests, the ready list or a sweep hold the loop before the others have a turn.
  static constexpr std::uint64_t kSliceUs = 1500;

  struct Handle {
    std::uint32_t slot;
    std::uint32_t generation;
  };
  struct Listener {
    int fd = -1;
    bool accepting = false;
    std::uint64_t resume_ms = 0;  // not accepting: try again then
  };
  // The running sweep: every subscriber of the topics that had news at one moment.
  struct Sweep {
    std::vector<std::uint32_t> topics;  // local
    std::size_t topic = 0;              // index in `topics`
    std::size_t visited = 0;            // subscribers of it so far
    std::size_t start = 0;              // where in its subscribers it began
    std::size_t next = 0;               // whom it visits next
    bool wrapped = false;               // true exactly when `next` is on the way from 0 to `start`
    core::Sequence cut = 0;             // who is at or past it needs nothing
    std::uint32_t leftovers = 0;        // visited, took all that was given, and more is to come
    bool running = false;
  };

  // --- shard.cc
  [[nodiscard]] std::uint32_t wait_ms();
  void handle(const Completion& completion);
  void adopt_options();
  void collect_news();
  void deliver_ready();
  void sweep_slice();
  bool sweep_topic(std::uint64_t until_us);
  void visit(std::uint32_t slot);
  void finish_sweep();
  [[nodiscard]] bool busy() const {
    return has_ready() || sweep_.running || resume_requests_ || !ending_.empty();
  }
  [[nodiscard]] bool has_ready() const { return !ready_.empty() || pushed_ < pushing_.size(); }
  void make_ready(std::uint32_t slot, Connection& connection);
  [[nodiscard]] Handle handle_of(std::uint32_t slot) const {
    return {slot, table_[slot].generation};
  }
  [[nodiscard]] Connection* find(const Handle& handle) {
    return table_.find({.op = Op::none, .generation = handle.generation, .slot = handle.slot});
  }
  [[nodiscard]] Token token(Op op, std::uint32_t slot) const {
    return {.op = op, .generation = table_[slot].generation, .slot = slot};
  }
  void on_delivery(std::uint32_t slot, Delivery outcome) override;

  // --- shard_accept.cc
  void on_accepted(const Completion& completion);
  [[nodiscard]] std::optional<Rejection> take(int fd);
  void on_accept_failed(Listener& listener, int error);
  [[nodiscard]] bool make_room();
  [[nodiscard]] bool end_request(std::uint32_t slot, Connection& connection, Rejection why);
  [[nodiscard]] bool waits_for_us(const Connection& connection);
  void stop_accepting();
  [[nodiscard]] bool accepting() const;

  // --- shard_request.cc
  void receive(std::uint32_t slot, Connection& connection);
  void on_received(std::uint32_t slot, Connection& connection, const Completion& completion);
  void read_on(std::uint32_t slot, Connection& connection, bool more_to_read);
  void consume(std::uint32_t slot, Connection& connection, std::string_view bytes);
  enum class Fed : std::uint8_t {
    all,       // the bytes are used up
    some,      // go on
    answered,  // a request was handled (or waits); go on
    ended,     // nothing of this connection is read any more
  };
  [[nodiscard]] Fed feed(std::uint32_t slot, Connection& connection, std::string_view& bytes);
  void on_request(std::uint32_t slot, Connection& connection);
  void obey(std::uint32_t slot, Connection& connection, Outcome& outcome);
  void park(std::uint32_t slot, Connection& connection);
  void retry_parked();
  void begin_requests() { requests_until_us_ = clock_.now_us() + kSliceUs; }
  [[nodiscard]] bool requests_had_their_slice() const {
    return clock_.now_us() > requests_until_us_;
  }
  void reply_done(std::uint32_t slot, Connection& connection);
  void owe_reply(std::uint32_t slot, Connection& connection);
  void count_untaken(std::uint32_t slot, Connection& connection);
  [[nodiscard]] bool make_memory_room(std::uint32_t but);
  void refuse_and_linger(std::uint32_t slot, Connection& connection);
  void turn_away(std::uint32_t slot, Connection& connection, Rejection why);
  void on_linger(std::uint32_t slot, Connection& connection, const Completion& completion);

  // --- shard_stream.cc
  void open_stream(std::uint32_t slot, Connection& connection, Outcome& wanted);
  void append_opening(Connection& connection, const Outcome& wanted,
                      const core::Subscription& subscription);
  void owe(Connection& connection, std::string_view piece);
  [[nodiscard]] std::optional<Rejection> admit(Connection& connection);
  void join_topics(std::uint32_t slot, Connection& connection,
                   const core::Subscription& subscription);
  void watch_hangup(std::uint32_t slot, Connection& connection);
  void on_gap(std::uint32_t slot, Connection& connection);
  void owe_gap(Connection& connection, core::Sequence behind);
  void block(std::uint32_t slot, Connection& connection, bool starved);
  void unblock(std::uint32_t slot, Connection& connection);
  void skip_to_latest(Connection& connection);
  void end_slow(std::uint32_t slot, Connection& connection);
  void settle_idle(std::uint32_t slot, Connection& connection);
  [[nodiscard]] std::span<core::TopicCursor> topic_cursors(Connection& connection);

  // --- shard_close.cc
  void change_state(Connection& connection, State next);
  void end_stream(std::uint32_t slot, Connection& connection);
  void terminate(std::uint32_t slot, Connection& connection, bool reset);
  void close_if_joined(std::uint32_t slot, Connection& connection);
  void leave_topics(std::uint32_t slot, Connection& connection);
  void leave_topic(std::uint32_t slot, std::uint32_t topic, std::uint32_t place);
  void drop_topic(std::uint32_t topic);

  // --- shard_application.cc
  struct RoutedStream {
    std::shared_ptr<StreamWriter::Target> target;  // null: nobody writes to it
    std::function<void()> on_close;
  };
  [[nodiscard]] std::optional<core::Subscription> subscribe(const Outcome& wanted);
  void tell_opened(std::uint32_t slot, Connection& connection, const Outcome& wanted,
                   const core::Subscription& subscription);
  void tell_closed(std::uint32_t slot, Connection& connection);
  [[nodiscard]] std::uint64_t stream_id(std::uint32_t slot) const;
  void end_removed();
  void end_slice();

  // --- shard_timers.cc
  void set_deadline(std::uint32_t slot, Connection& connection, std::uint64_t at_ms);
  void on_progress(std::uint32_t slot, Connection& connection, std::uint64_t time_ms);
  void run_timers();
  void on_deadline(std::uint32_t slot, Connection& connection);
  void check_slow(std::uint32_t slot, Connection& connection);
  void send_heartbeats();
  void heartbeat(std::uint32_t slot, std::uint64_t since_own);
  void beat_if_due(std::uint32_t slot, Connection& connection, std::uint64_t since_own,
                   std::uint64_t quarter_ms);
  void await_heartbeat(std::uint32_t slot, const Connection& connection);
  void heartbeat_of_its_own(std::uint32_t slot, Connection& connection);
  void second_write(std::uint32_t slot, Connection& connection);
  // Of the hub's streams.
  [[nodiscard]] std::uint32_t number_of(std::uint32_t slot) const {
    return slot * static_cast<std::uint32_t>(state_.hub.shards()) + id_;
  }
  void on_wheel(const TimerWheel::Entry& entry);
  void drain();
  void drain_one(std::uint32_t slot, bool at_end);
  void maintain();

  [[nodiscard]] std::uint32_t now_ds() const { return static_cast<std::uint32_t>(now_ms_ / 100); }

  const core::ShardId id_;
  ServerState& state_;
  Io& io_;
  const Clock& clock_;
  ShardMetrics& metrics_;
  std::shared_ptr<const ServerOptions> options_;
  std::uint32_t options_version_ = 0;
  std::minstd_rand random_;

  std::uint64_t now_us_ = 0;  // of this turn
  std::uint64_t requests_until_us_ = 0;
  std::uint64_t now_ms_ = 0;

  ShardRequestMemory memory_;  // of requests and their answers; outlives their Exchange
  ConnectionTable table_;
  AgeList requests_;    // states request and linger
  AgeList holders_;  // of these with a part of a body, or answers not taken, by when that moved
  LocalTopics topics_;
  RequestHandler handler_;
  Outbox outbox_;
  TimerWheel wheel_;
  std::vector<Listener> listeners_;

  std::vector<Completion> completions_;
  std::vector<Handle> ready_;    // connections to push into the outbox
  std::vector<Handle> pushing_;  // the ready list being worked off
  std::size_t pushed_ = 0;       // of it
  std::vector<Handle> parked_;   // requests that wait: for the shards, or for answers to be read
  core::Collected collected_;
  Sweep sweep_;
  std::vector<std::uint32_t> ending_;  // local topics whose streams are being ended
  std::unordered_map<std::uint32_t, RoutedStream> routed_;  // by slot
  std::string reply_;                                       // answers of the request being handled
  std::string refusal_;           // of a connection of which no request was read
  std::vector<char> scratch_;     // reads beyond the first buffer of a turn
  bool resume_requests_ = false;  // some of parked_ need no waiting

  std::uint64_t heartbeat_ms_ = 0;    // when the next part of the table is looked at; 0: never
  std::uint64_t heartbeat_step_ = 0;  // which part that is
  std::uint64_t maintain_ms_ = 0;
  std::uint64_t drain_begin_ms_ = 0;  // 0: not draining
  std::uint32_t drain_slot_ = 0;      // everything below was asked to end
  std::uint32_t drain_total_ = 0;     // connections when it began
  std::uint32_t drain_done_ = 0;
  core::TopicCursor single_;  // see topic_cursors
};

}  // namespace tocsin::net
