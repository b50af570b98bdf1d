#include "net/shard/shard.h"

#include <algorithm>
#include <utility>

#include "proto/assert.h"

namespace tocsin::net {
namespace {

// How far ahead records are fetched into the cache: a batch of sends lies between.
constexpr std::size_t kPrefetch = 8;
constexpr std::uint32_t kParkedRetryMs = 1;
constexpr std::uint32_t kDrainTickMs = 20;
constexpr std::uint32_t kMaxWaitMs = 1000;

thread_local bool t_is_shard = false;

std::uint32_t until(std::uint64_t at_ms, std::uint64_t now_ms, std::uint32_t most) {
  return at_ms <= now_ms
             ? 0
             : static_cast<std::uint32_t>(std::min<std::uint64_t>(at_ms - now_ms, most));
}

}  // namespace

Shard::Shard(core::ShardId id, ServerState& state, Io& io, const Clock& clock,
             const std::vector<int>& listeners, std::uint64_t seed)
    : id_(id),
      state_(state),
      io_(io),
      clock_(clock),
      metrics_(*state.metrics[id]),
      options_(state.options()),
      options_version_(state.options_version.load()),
      random_(static_cast<std::minstd_rand::result_type>(seed | 1)),
      now_us_(clock.now_us()),
      now_ms_(now_us_ / 1000),
      memory_(state.request_memory),
      requests_(table_, [](Attachment& extra) -> AgeLinks& { return extra.by_age; }),
      holders_(table_,
               [](Attachment& extra) -> AgeLinks& { return extra.exchange->by_hold_age; }),
      handler_(state, metrics_, random_()),
      outbox_(table_, topics_, state.hub, io, clock, metrics_, *this),
      wheel_(now_ms_),
      scratch_(64 * limits::kKiB) {
  for (const int fd : listeners) listeners_.push_back({.fd = fd});
  state_.hub.set_waker(id_, &io_);
}

Shard::~Shard() {
  state_.hub.set_waker(id_, nullptr);
}

bool Shard::runs_here() {
  return t_is_shard;
}

void Shard::run() {
  t_is_shard = true;
  start_accepting();
  for (;;) {
    turn();
    if (state_.phase.load() == Phase::stopping || drained()) break;
  }
  end_all();
}

// Closes what is open without further ado, and joins what is in flight for as long as a kernel that
// is well takes.
void Shard::end_all() {
  // In vain; a wait may bring a few completions of many thousands.
  constexpr int kMostWaits = 100;
  stop_accepting();
  for (std::uint32_t slot = 0; slot < table_.size(); ++slot) {
    Connection& connection = table_[slot];
    if (connection.state != State::free) terminate(slot, connection, true);
  }
  state_.hub.with([this](core::Hub& hub) {  // holds back nobody any more
    if (sweep_.running) hub.swept(id_);
    hub.collect(id_, collected_);
    hub.swept(id_);
  });
  for (int in_vain = 0; in_vain < kMostWaits;) {
    if (table_.used() == 0 && !accepting()) return;
    completions_.clear();
    io_.wait(10, completions_);
    in_vain += completions_.empty() ? 1 : 0;
    for (const Completion& completion : completions_) handle(completion);
  }
}

bool Shard::turn() {
  completions_.clear();
  io_.wait(wait_ms(), completions_);
  state_.hub.awake(id_);
  now_us_ = clock_.now_us();
  now_ms_ = now_us_ / 1000;
  outbox_.begin_turn(now_ds());

  adopt_options();
  begin_requests();
  // Accepts come last: a newcomer may end a connection that is idle (see make_room), but not one
  // whose request is among the others.
  for (const bool accepts : {false, true}) {
    for (const Completion& completion : completions_) {
      if ((completion.token.op == Op::accept) == accepts) handle(completion);
    }
  }
  retry_parked();
  collect_news();
  deliver_ready();
  sweep_slice();
  end_slice();
  if (!memory_.fit()) (void)make_memory_room(AgeList::kNone);
  run_timers();
  outbox_.end_turn();

  metrics_.loops.add();
  metrics_.turn_us.record(clock_.now_us() - now_us_);
  return busy();
}

std::uint32_t Shard::wait_ms() {
  if (busy()) return 0;
  std::uint32_t most = kMaxWaitMs;
  if (!parked_.empty()) most = kParkedRetryMs;
  most = std::min(most, wheel_.next_ms(now_ms_, most));
  if (drain_begin_ms_ != 0) most = std::min(most, kDrainTickMs);
  if (heartbeat_ms_ != 0) most = std::min(most, until(heartbeat_ms_, now_ms_, most));
  if (maintain_ms_ != 0) most = std::min(most, until(maintain_ms_, now_ms_, most));
  for (const Listener& listener : listeners_) {
    if (listener.resume_ms != 0) most = std::min(most, until(listener.resume_ms, now_ms_, most));
  }
  // Say that we sleep, then look once more: see SharedHub.
  state_.hub.going_to_sleep(id_);
  const bool news = state_.hub.with([&](const core::Hub& hub) { return hub.has_news(id_); });
  const bool changed = state_.options_version.load() != options_version_ ||
                       (state_.phase.load() >= Phase::draining && drain_begin_ms_ == 0);
  return news || changed ? 0 : most;
}

void Shard::handle(const Completion& completion) {
  if (completion.token.op == Op::accept) {
    on_accepted(completion);
    return;
  }
  const std::uint32_t slot = completion.token.slot;
  Connection* found = table_.find(completion.token);
  if (found == nullptr) {
    metrics_.stale_completions.add();
    return;
  }
  Connection& connection = *found;
  TOCSIN_ASSERT(connection.armed > 0);
  --connection.armed;
  if (completion.token.op == Op::hangup) connection.hangup_armed = false;
  switch (connection.state) {
    case State::request:
      if (completion.token.op == Op::receive) {
        on_received(slot, connection, completion);
      } else {
        unblock(slot, connection);
      }
      return;
    case State::stream:
      if (completion.token.op == Op::hangup || completion.result < 0) {
        terminate(slot, connection, false);
      } else {
        unblock(slot, connection);
      }
      return;
    case State::linger:
      on_linger(slot, connection, completion);
      return;
    case State::closing:
      close_if_joined(slot, connection);
      return;
    case State::free:
      break;
  }
  TOCSIN_ASSERT(false);
}

void Shard::adopt_options() {
  const std::uint32_t version = state_.options_version.load();
  if (version == options_version_) return;
  options_version_ = version;
  options_ = state_.options();
  handler_.adopt(*options_);
}

// --- sending ---

void Shard::make_ready(std::uint32_t slot, Connection& connection) {
  // Batched: its outcome says what comes next, and may be that it is blocked.
  if (connection.ready || connection.blocked || connection.batched) return;
  connection.ready = true;
  ready_.push_back(handle_of(slot));
}

// Works off the list as it was, over several turns if need be; what becomes ready meanwhile comes
// after.
void Shard::deliver_ready() {
  const std::uint64_t until_us = clock_.now_us() + kSliceUs;
  if (pushed_ == pushing_.size()) {
    pushing_.clear();
    pushing_.swap(ready_);
    pushed_ = 0;
  }
  while (pushed_ < pushing_.size()) {
    const Handle handle = pushing_[pushed_++];
    Connection* connection = find(handle);
    if (connection != nullptr && connection->ready) {
      connection->ready = false;
      if (!connection->blocked) outbox_.push(handle.slot);
    }
    if (pushed_ % limits::kSendBatch == 0 && clock_.now_us() > until_us) break;
  }
  outbox_.flush();
}

void Shard::on_delivery(std::uint32_t slot, Delivery outcome) {
  Connection& connection = table_[slot];
  // At the cut it is up to date, whatever came since: a fast reader of a busy topic has `more` for
  // ever, and the next sweep must not wait for it.
  const bool behind = outcome == Delivery::more && connection.cursor < sweep_.cut;
  if (connection.leftover && !behind) {
    connection.leftover = false;
    --sweep_.leftovers;
  }
  switch (outcome) {
    case Delivery::done:
      if (connection.state == State::stream) {
        settle_idle(slot, connection);
      } else {
        reply_done(slot, connection);
      }
      return;
    case Delivery::more:
      make_ready(slot, connection);
      return;
    case Delivery::blocked:
    case Delivery::starved:
      block(slot, connection, outcome == Delivery::starved);
      return;
    case Delivery::failed:
      terminate(slot, connection, true);
      return;
    case Delivery::gap:
      on_gap(slot, connection);
      return;
    case Delivery::lost:
      end_slow(slot, connection);
      return;
  }
}

// --- the sweep ---

void Shard::collect_news() {
  if (sweep_.running) return;
  const bool news = state_.hub.with([&](core::Hub& hub) {
    if (!hub.has_news(id_)) return false;
    hub.collect(id_, collected_);
    return true;
  });
  if (!news) return;
  TOCSIN_ASSERT(sweep_.leftovers == 0);
  sweep_ = {.topics = std::move(sweep_.topics), .cut = collected_.cut, .running = true};
  sweep_.topics.clear();
  for (core::Topic* topic : collected_.topics) {
    const std::uint32_t local = topics_.find(topic);
    topics_[local].sweeping = true;
    sweep_.topics.push_back(local);
  }
  for (core::Topic* topic : collected_.removed) topics_[topics_.find(topic)].ending = true;
}

void Shard::sweep_slice() {
  if (!sweep_.running) return;
  const std::uint64_t until_us = clock_.now_us() + kSliceUs;
  while (sweep_.topic < sweep_.topics.size()) {
    if (!sweep_topic(until_us)) break;
    const std::uint32_t local = sweep_.topics[sweep_.topic];
    topics_[local].sweeping = false;
    drop_topic(local);
    ++sweep_.topic;
    sweep_.visited = 0;
  }
  outbox_.flush();
  if (sweep_.topic == sweep_.topics.size() && sweep_.leftovers == 0) finish_sweep();
}

// Visits the topic's subscribers from a random one to the last, then from the first to there:
// nobody is always served last. False: the slice is used up. Subscribers that come meanwhile are
// brought up to date as they come; for those that leave, see leave_topic.
bool Shard::sweep_topic(std::uint64_t until_us) {
  const std::uint32_t local = sweep_.topics[sweep_.topic];
  if (sweep_.visited == 0) {
    const std::size_t n = topics_[local].subscribers.size();
    sweep_.start = n == 0 ? 0 : random_() % n;
    sweep_.next = sweep_.start;
    sweep_.wrapped = false;
  }
  for (;;) {
    const std::vector<std::uint32_t>& subscribers = topics_[local].subscribers;
    const std::size_t end =
        sweep_.wrapped ? std::min(sweep_.start, subscribers.size()) : subscribers.size();
    if (sweep_.next >= end) {
      if (sweep_.wrapped) return true;
      sweep_.wrapped = true;
      sweep_.next = 0;
      continue;
    }
    const std::size_t ahead = sweep_.next + kPrefetch;
    if (ahead < end) __builtin_prefetch(&table_[subscribers[ahead]], 1);
    visit(subscribers[sweep_.next++]);
    if (++sweep_.visited % limits::kSendBatch == 0 && clock_.now_us() > until_us) return false;
  }
}

void Shard::visit(std::uint32_t slot) {
  Connection& connection = table_[slot];
  // Blocked: continues by itself when there is room. Ready: will be brought past the cut by then.
  if (connection.blocked || connection.batched || connection.cursor >= sweep_.cut) return;
  if (!connection.leftover) {
    connection.leftover = true;
    ++sweep_.leftovers;
  }
  if (!connection.ready) outbox_.push(slot);
}

void Shard::finish_sweep() {
  sweep_.running = false;
  end_removed();
  sweep_.topics.clear();
  sweep_.topic = 0;
  state_.hub.with([&](core::Hub& hub) { hub.swept(id_); });
}

}  // namespace tocsin::net
