#include "net/shard/shard.h"

#include <algorithm>
#include <utility>

#include "proto/assert.h"

namespace tocsin::net {
namespace {

constexpr std::uint32_t kDrainTickMs = 20;
constexpr std::uint32_t kMaxWaitMs = 1000;
constexpr std::uint64_t kMaintainMs = 250;

thread_local bool t_is_shard = false;

}  // namespace

Shard::Shard(core::ShardId id, ServerState& state, Io& io, const Clock& clock,
             const std::vector<int>& listeners, std::uint64_t seed)
    : shard_(id, state, io, clock, seed),
      replays_(shard_),
      outbox_(shard_.table, shard_.topics, state.hub, replays_, io, clock, shard_.metrics, *this),
      subscriptions_(shard_, outbox_),
      sweep_(shard_, outbox_, subscriptions_),
      readers_(shard_),
      routed_(shard_),
      lifecycle_(shard_, replays_, outbox_, subscriptions_, sweep_, readers_, routed_),
      walks_(shard_, lifecycle_, readers_),
      presence_news_(shard_),
      slow_readers_(shard_, replays_, lifecycle_),
      heartbeats_(shard_, lifecycle_),
      http_(state, shard_.metrics, clock, shard_.random(),
            [this](std::uint32_t slot) {
              return requests_.client_of(shard_.table[slot].peer).text();
            }),
      streams_(shard_, lifecycle_, subscriptions_, readers_, routed_, heartbeats_,
               http_.answers()),
      requests_(shard_, replays_, lifecycle_, walks_, streams_, http_),
      acceptor_(shard_, lifecycle_, requests_, http_.answers(), listeners),
      drain_(shard_, lifecycle_, requests_, acceptor_) {
  state.hub.set_waker(id, &io);
}

Shard::~Shard() {
  shard_.state.hub.set_waker(shard_.id, nullptr);
}

bool Shard::runs_here() {
  return t_is_shard;
}

void Shard::run() {
  t_is_shard = true;
  start_accepting();
  for (;;) {
    turn();
    if (shard_.state.phase.load() == Phase::stopping || drained()) break;
  }
  end_all();
}

// Closes what is open without further ado, and joins what is in flight for as long as a kernel that
// is well takes.
void Shard::end_all() {
  // In vain; a wait may bring a few completions of many thousands.
  constexpr int kMostWaits = 100;
  acceptor_.stop();
  for (std::uint32_t slot = 0; slot < shard_.table.size(); ++slot) {
    if (shard_.table[slot].peer.state != State::free) lifecycle_.terminate(slot, true);
  }
  sweep_.abandon();
  requests_.close_mail();  // what was published counts, though nobody here waits for it
  while (walks_.running()) walks_.slice();  // who asks is on another shard
  for (int in_vain = 0; in_vain < kMostWaits;) {
    if (shard_.table.used() == 0 && !acceptor_.accepting()) return;
    completions_.clear();
    shard_.io.wait(10, completions_);
    in_vain += completions_.empty() ? 1 : 0;
    for (const Completion& completion : completions_) handle(completion);
  }
}

bool Shard::turn() {
  completions_.clear();
  shard_.io.wait(wait_ms(), completions_);
  shard_.state.hub.awake(shard_.id);
  shard_.take_time();
  outbox_.begin_turn(shard_.now_ds());

  adopt_options();
  requests_.begin_slice();
  // Accepts come last: a newcomer may end a connection that is idle (see Acceptor), but not one
  // whose request is among the others.
  for (const bool accepts : {false, true}) {
    for (const Completion& completion : completions_) {
      if ((completion.token.op == Op::accept) == accepts) handle(completion);
    }
  }
  for (const Completion& completion : completions_) shard_.wipe(completion.data);
  requests_.take_mail();
  requests_.go_on();
  sweep_.collect();
  deliver_ready();
  sweep();
  ordering_ = shard_.state.hub.order_waiting(shard_.clock, shard_.slice_end_us());
  requests_.fit_memory();
  run_timers();
  outbox_.end_turn();

  shard_.metrics.loops.add();
  shard_.metrics.turn_us.record(shard_.clock.now_us() - shard_.now_us);
  return busy();
}

bool Shard::busy() const {
  return ordering_ || !shard_.ready.empty() || sweep_.running() || requests_.has_work() ||
         streams_.ending() || walks_.running();
}

std::uint32_t Shard::wait_ms() {
  if (busy()) return 0;
  std::uint32_t most = kMaxWaitMs;
  if (drain_.begun()) most = std::min(most, kDrainTickMs);
  most = shard_.deadlines.next_ms(shard_.now_ms, most);
  for (const std::uint64_t at_ms : {heartbeats_.due_ms(), maintain_ms_, acceptor_.due_ms()}) {
    if (at_ms == 0) continue;
    const std::uint64_t left_ms = at_ms - std::min(at_ms, shard_.now_ms);
    most = static_cast<std::uint32_t>(std::min<std::uint64_t>(most, left_ms));
  }
  // Say that we sleep, then look once more: see SharedHub.
  SharedHub& hub = shard_.state.hub;
  hub.going_to_sleep(shard_.id);
  const bool news = hub.with([&](const core::Hub& shared) { return shared.has_news(shard_.id); });
  const bool changed = shard_.state.options_version.load() != shard_.options_version ||
                       (shard_.state.phase.load() >= Phase::draining && !drain_.begun());
  return news || changed || requests_.has_mail() ? 0 : most;
}

void Shard::adopt_options() {
  const std::uint32_t version = shard_.state.options_version.load();
  if (version == shard_.options_version) return;
  shard_.options_version = version;
  const auto before = std::exchange(shard_.options, shard_.state.options());
  auto access = shard_.state.access();
  const bool changed =
      access != shard_.access || before->namespaces != shard_.options->namespaces;
  shard_.access = std::move(access);
  shard_.proxies = TrustedProxies(shard_.options->trusted_proxies);
  shard_.limited = limits_clients(*shard_.options);
  http_.adopt(*shard_.options, shard_.access);
  if (changed) streams_.ask_again();
}

// --- what happened, to whom it concerns ---

void Shard::handle(const Completion& completion) {
  const auto [op, generation, slot] = completion.token;
  if (op == Op::accept) {
    acceptor_.on_accepted(completion);
    return;
  }
  Connection* found = shard_.table.find(completion.token);
  if (found == nullptr) {
    shard_.metrics.stale_completions.add();
    return;
  }
  Peer& peer = found->peer;
  TOCSIN_ASSERT(peer.armed > 0);
  --peer.armed;
  if (op == Op::hangup) peer.hangup_armed = false;
  switch (peer.state) {
    case State::request:
      if (op == Op::receive) {
        requests_.on_received(slot, peer, completion);
      } else {
        on_room(slot, *found);
      }
      return;
    case State::stream:
      if (op == Op::hangup || completion.result < 0) {
        lifecycle_.terminate(slot, false);
      } else {
        on_room(slot, *found);
      }
      return;
    case State::linger:
      requests_.on_linger(slot, peer, completion);
      return;
    case State::closing:
      lifecycle_.close_if_joined(slot, peer);
      return;
    case State::free:
      break;
  }
  TOCSIN_ASSERT(false);
}

void Shard::on_room(std::uint32_t slot, Connection& connection) {
  slow_readers_.unblock(slot, connection);
  if (connection.peer.state == State::request) requests_.on_room(slot, connection.peer);
}

void Shard::on_delivery(std::uint32_t slot, Delivery outcome) {
  Connection& connection = shard_.table[slot];
  auto& [peer, stream] = connection;
  sweep_.settle(stream, outcome);
  switch (outcome) {
    case Delivery::done:
      if (!peer.is_stream()) {
        requests_.on_sent(slot, peer);
      } else if (stream.finishing) {
        lifecycle_.end_stream(slot);
      } else {
        streams_.settle_idle(slot, peer);
      }
      return;
    case Delivery::more:
      shard_.ready.add(slot, peer);
      return;
    case Delivery::blocked:
    case Delivery::starved:
      slow_readers_.block(slot, peer, outcome == Delivery::starved);
      if (!peer.is_stream()) requests_.on_blocked(slot, peer);
      return;
    case Delivery::failed:
      lifecycle_.terminate(slot, true);
      return;
    case Delivery::gap:
      if (!replays_.go_on(slot, connection)) slow_readers_.on_gap(slot, connection);
      return;
    case Delivery::lost:
      slow_readers_.end(slot);
      return;
  }
}

void Shard::sweep() {
  if (sweep_.slice()) streams_.end_with(sweep_.removed());
  streams_.end_slice();
  streams_.ask_slice();
  walks_.slice();
}

// --- what time does ---

void Shard::run_timers() {
  shard_.deadlines.run(shard_.now_ms,
                       [this](std::uint32_t slot, Connection& connection, Deadlines::Call call) {
                         on_call(slot, connection, call);
                       });
  acceptor_.run();
  if (heartbeats_.run()) {
    deliver_ready();
    outbox_.flush();
  }
  maintain();
  drain_.run();
}

void Shard::on_call(std::uint32_t slot, Connection& connection, Deadlines::Call call) {
  switch (call) {
    case Deadlines::Call::deadline:
      on_deadline(slot, connection);
      return;
    case Deadlines::Call::heartbeat:
      heartbeats_.look(slot, connection);
      return;
    case Deadlines::Call::second_write:
      heartbeats_.second_write(slot, connection.peer);
      return;
    case Deadlines::Call::end:
      heartbeats_.look_at_end(slot, connection);
      return;
  }
}

void Shard::on_deadline(std::uint32_t slot, Connection& connection) {
  Peer& peer = connection.peer;
  if (peer.blocked && peer.extra().starved) {
    on_room(slot, connection);
    return;
  }
  switch (peer.state) {
    case State::request:
      requests_.on_deadline(slot, peer);
      return;
    case State::stream:
      if (peer.blocked) slow_readers_.check(slot, connection);
      return;
    case State::linger:
      lifecycle_.terminate(slot, false);
      return;
    case State::closing:
    case State::free:
      return;
  }
}

// The hub's housekeeping, which one shard does for all.
void Shard::maintain() {
  if (shard_.id != 0 || shard_.now_ms < maintain_ms_) return;
  const bool idle = shard_.state.hub.with([&](core::Hub& hub) {
    hub.maintain(shard_.now_ms);
    return hub.topics() == 0;
  });
  shard_.state.hub.give_up_waiting();
  presence_news_.run();
  maintain_ms_ = shard_.now_ms + (idle ? 4 * kMaintainMs : kMaintainMs);
}

// --- invariants ---

void Shard::check_invariants() const {
  std::uint32_t used = 0;
  std::uint32_t leftovers = 0;
  std::uint32_t streams = 0;
  std::uint32_t requests = 0;
  std::uint32_t ending = 0;
  std::uint32_t replaying = 0;
  const core::Sequence newest =
      shard_.state.hub.with([](const core::Hub& hub) { return hub.last_sequence(); });
  for (std::uint32_t slot = 0; slot < shard_.table.size() && used < shard_.table.used(); ++slot) {
    const auto& [peer, stream] = shard_.table[slot];
    if (peer.state == State::free) continue;
    ++used;
    leftovers += stream.leftover ? 1U : 0U;
    streams += peer.is_stream() ? 1U : 0U;
    ending += peer.is_stream() && stream.ends_s != 0 ? 1U : 0U;
    replaying += stream.replaying ? 1U : 0U;
    const bool request = peer.state == State::request || peer.state == State::linger;
    requests += request ? 1U : 0U;
    TOCSIN_ASSERT(request == (peer.attachment && peer.extra().by_age.listed()));
    TOCSIN_ASSERT(!peer.batched);  // I5: no send is in flight between turns
    TOCSIN_ASSERT(!(peer.blocked && peer.ready));
    TOCSIN_ASSERT(peer.state != State::closing || peer.armed > 0);
    TOCSIN_ASSERT(!peer.is_stream() || stream.cursor <= newest);  // I6
    TOCSIN_ASSERT(!peer.hangup_armed || peer.armed > 0);
    const bool awaits_room = peer.armed > (peer.hangup_armed ? 1 : 0);
    if (peer.blocked) TOCSIN_ASSERT(awaits_room || peer.extra().starved);
    if (peer.owes()) TOCSIN_ASSERT(peer.blocked || peer.ready);  // it will get what it is owed
  }
  TOCSIN_ASSERT(used == shard_.table.used());
  TOCSIN_ASSERT(leftovers == sweep_.leftovers());
  TOCSIN_ASSERT(replaying == replays_.size());
  TOCSIN_ASSERT(ending == lifecycle_.ending_streams());
  TOCSIN_ASSERT(requests == lifecycle_.requests().size());
  TOCSIN_ASSERT(requests <= limits::kMaxRequestConnections);
  TOCSIN_ASSERT(streams == shard_.metrics.streams_open.get());
}

}  // namespace tocsin::net
