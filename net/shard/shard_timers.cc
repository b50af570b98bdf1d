// What time does: deadlines, heartbeats, the drain, the hub's housekeeping.
#include <algorithm>
#include <array>

#include "net/shard/shard.h"
#include "proto/assert.h"
#include "proto/framing.h"
#include "proto/sse_encode.h"

namespace tocsin::net {
namespace {

constexpr std::uint64_t kHeartbeatStepMs = 250;
// How many looks ahead records are fetched into the cache: they do not lie side by side.
constexpr std::uint64_t kPrefetch = 8;
// Without heartbeats the ages of streams are looked at: each slot in so many steps.
constexpr std::uint32_t kAgeQuarter = 16;
constexpr std::uint64_t kMaintainMs = 250;
// For bytes of a request that are there and have yet to be read when its time is up.
constexpr std::uint64_t kUnreadMs = 1000;

}  // namespace

void Shard::set_deadline(std::uint32_t slot, Connection& connection, std::uint64_t at_ms) {
  Attachment& extra = connection.extra();
  extra.deadline_ms = at_ms;
  // It will look again then.
  if (extra.wheel_ms != 0 && extra.wheel_ms < at_ms + TimerWheel::kTickMs) return;
  extra.wheel_ms = wheel_.schedule({.slot = slot, .generation = connection.generation}, at_ms);
}

// A connection that is no stream was accepted, began a request or was answered: it has `time_ms`
// for its next step, and all others make room before it (see make_room). More bytes of the same
// request are no progress, or one byte a second would do.
void Shard::on_progress(std::uint32_t slot, Connection& connection, std::uint64_t time_ms) {
  requests_.renew(slot);
  set_deadline(slot, connection, now_ms_ + time_ms);
}

void Shard::on_wheel(const TimerWheel::Entry& entry) {
  Connection* connection = find({entry.slot, entry.generation});
  if (connection == nullptr) return;
  switch (entry.call) {
    case TimerWheel::Call::deadline:
      break;
    case TimerWheel::Call::heartbeat:
      heartbeat_of_its_own(entry.slot, *connection);
      return;
    case TimerWheel::Call::second_write:
      second_write(entry.slot, *connection);
      return;
  }
  if (!connection->attachment) return;
  Attachment& extra = connection->extra();
  // Left by an earlier attachment; following it would make one entry more for each.
  if (extra.wheel_ms == 0 || extra.wheel_ms > now_ms_) return;
  extra.wheel_ms = 0;
  const std::uint64_t deadline_ms = extra.deadline_ms;
  if (deadline_ms == 0) return;
  if (deadline_ms > now_ms_) {
    set_deadline(entry.slot, *connection, deadline_ms);
    return;
  }
  extra.deadline_ms = 0;
  on_deadline(entry.slot, *connection);
}

void Shard::run_timers() {
  wheel_.advance(now_ms_, [this](const TimerWheel::Entry& entry) { on_wheel(entry); });
  for (const Listener& listener : listeners_) {
    if (listener.resume_ms != 0 && listener.resume_ms <= now_ms_ && drain_begin_ms_ == 0) {
      start_accepting();
      break;
    }
  }
  send_heartbeats();
  maintain();
  drain();
}

void Shard::on_deadline(std::uint32_t slot, Connection& connection) {
  if (connection.blocked && connection.extra().starved) {
    unblock(slot, connection);
    return;
  }
  switch (connection.state) {
    case State::request:
      if (connection.blocked || connection.extra().close_when_sent) {
        terminate(slot, connection, true);
      } else if (io_.has_unread(connection.fd)) {  // it is the hub that is late
        set_deadline(slot, connection, now_ms_ + kUnreadMs);
      } else if (connection.extra().exchange->parser.mid_message()) {
        reply_.clear();
        handler_.refuse(connection.extra().exchange->parser.request(), 408, Rejection::timeout,
                        "the request did not arrive in time", reply_);
        refuse_and_linger(slot, connection);
      } else {
        terminate(slot, connection, false);
      }
      return;
    case State::stream:
      if (connection.blocked) check_slow(slot, connection);
      return;
    case State::linger:
      terminate(slot, connection, false);
      return;
    case State::closing:
    case State::free:
      return;
  }
}

// --- heartbeats ---

// The interval has 4 * `quarter` steps. In each of them every `quarter`-th slot is looked at, so
// that each slot is four times per interval: once in its own step, which is its number modulo all
// steps, and three times between. By their own steps the streams of a shard are spread evenly over
// the interval, and shards begin at different steps.
void Shard::send_heartbeats() {
  const bool watch = metrics_.streams_open.get() > 0 &&
                     (options_->heartbeat_s > 0 || options_->max_stream_age_s > 0);
  if (!watch) {
    heartbeat_ms_ = 0;
    return;
  }
  // In steps of a quarter second, a quarter of the interval has as many as the interval seconds.
  static_assert(kHeartbeatStepMs == 250);
  const std::uint32_t quarter = options_->heartbeat_s > 0 ? options_->heartbeat_s : kAgeQuarter;
  if (heartbeat_ms_ == 0) {
    heartbeat_ms_ = now_ms_ + kHeartbeatStepMs * (id_ + 1) / state_.hub.shards();
    heartbeat_step_ = std::uint64_t{4} * quarter * id_ / state_.hub.shards();
  }
  if (now_ms_ < heartbeat_ms_) return;
  // After a stall each slot is looked at once, not once for every round that was missed.
  const std::uint64_t round_ms = (quarter - 1) * kHeartbeatStepMs;
  heartbeat_ms_ = std::max(heartbeat_ms_, now_ms_ - std::min(now_ms_, round_ms));
  for (; heartbeat_ms_ <= now_ms_; heartbeat_ms_ += kHeartbeatStepMs, ++heartbeat_step_) {
    std::uint64_t since_own = heartbeat_step_ / quarter;  // looks, modulo 4; of the first slot
    for (std::uint64_t slot = heartbeat_step_ % quarter; slot < table_.size(); slot += quarter) {
      const std::uint64_t ahead = slot + kPrefetch * quarter;
      if (ahead < table_.size()) {
        __builtin_prefetch(&table_[static_cast<std::uint32_t>(ahead)], 1);
      }
      heartbeat(static_cast<std::uint32_t>(slot), since_own-- % 4);
    }
  }
  deliver_ready();
}

// A stream that is silent is sent a comment: once per interval on average, after five quarters of
// it at the latest, and never many at once.
//
// Behind a comment the next one waits for the slot's own step: streams that are silent together
// stay spread as their slots are. Behind anything else, which thousands may have got in one moment,
// the own step can be anywhere. If it comes between three and five quarters of the interval, well;
// if not, the comment goes out one look behind it or one before it, whichever is between three and
// five quarters, and from there the own step is again less than five quarters away. So those who
// fell silent together are spread over half an interval once, and then over all of it.
//
// `since_own`: looks since the slot's own step, below 4.
void Shard::heartbeat(std::uint32_t slot, std::uint64_t since_own) {
  Connection& connection = table_[slot];
  if (connection.state != State::stream) return;
  const std::uint64_t age_s = now_ms_ / 1000 - connection.opened_s;
  // Ages from 3/4 to 5/4, by slot: those that came together do not go together.
  const std::uint64_t percent = 75 + (slot * 2654435761U >> 16) % 50;
  if (options_->max_stream_age_s > 0 && age_s * 100 > options_->max_stream_age_s * percent) {
    end_stream(slot, connection);
    return;
  }
  // Of its own interval others look after it.
  if (connection.heartbeat_s != 0 || options_->heartbeat_s == 0) return;
  static_assert(kHeartbeatStepMs * 4 == 1000);
  beat_if_due(slot, connection, since_own, options_->heartbeat_s * kHeartbeatStepMs);
}

// `quarter_ms`: between two looks.
void Shard::beat_if_due(std::uint32_t slot, Connection& connection, std::uint64_t since_own,
                        std::uint64_t quarter_ms) {
  // In quarters, by the looks since the own step. 5: not now, unless a look was missed.
  constexpr std::array<std::uint32_t, 4> kAfterComment{2, 5, 5, 5};
  constexpr std::array<std::uint32_t, 4> kAfterOther{3, 3, 5, 4};
  const std::uint32_t due = (connection.beat ? kAfterComment : kAfterOther)[since_own];
  const std::uint32_t silent_ds = now_ds() - connection.last_sent_ds;
  if (std::uint64_t{silent_ds} * 100 < due * quarter_ms) return;
  if (connection.blocked || connection.ready || connection.owes()) return;
  connection.attach().owed.push_back({nullptr, proto::framed_heartbeat(connection.framing())});
  metrics_.heartbeats.add();
  make_ready(slot, connection);
}

// --- heartbeats at an interval that the stream asked for
//
// The same rule, looked at by a wake-up call for each stream instead of the walk through the table,
// which is for all others. What was asked for is the longest silence, as whoever says 4 s waits no
// longer than 5. So a quarter is a fifth of it.

namespace {

// A look comes up to a tick late, silence is counted in tenths of a second, and a turn takes time.
constexpr std::uint64_t kLateMs = 2 * TimerWheel::kTickMs + 100;
static_assert(limits::kMinHeartbeatS * 1000 > 4 * kLateMs);
static_assert(limits::kMaxHeartbeatS * 1000 / 5 < TimerWheel::kHorizonTicks * TimerWheel::kTickMs);

std::uint64_t own_quarter_ms(const Connection& connection) {
  return (std::uint64_t{connection.heartbeat_s} * 1000 - kLateMs) / 5;
}

// A stream's place in an interval. Numbers that follow each other are spread over all of it.
std::uint64_t phase_ms(std::uint32_t number, std::uint64_t interval_ms) {
  return std::uint64_t{number * 2654435761U} * interval_ms >> 32;
}

}  // namespace

// To be looked at in its next quarter.
void Shard::await_heartbeat(std::uint32_t slot, const Connection& connection) {
  const std::uint64_t quarter = own_quarter_ms(connection);
  const std::uint64_t since = now_ms_ + phase_ms(number_of(slot), 4 * quarter);
  wheel_.schedule(
      {.slot = slot, .generation = connection.generation, .call = TimerWheel::Call::heartbeat},
      now_ms_ + quarter - since % quarter);
}

void Shard::heartbeat_of_its_own(std::uint32_t slot, Connection& connection) {
  if (connection.state != State::stream) return;
  const std::uint64_t quarter = own_quarter_ms(connection);
  const std::uint64_t since = now_ms_ + phase_ms(number_of(slot), 4 * quarter);
  beat_if_due(slot, connection, since / quarter % 4, quarter);
  await_heartbeat(slot, connection);
}

// Varnish keeps what it reads with the head until more comes, which for a stream that comes back is
// its replay. A comment brings it out. It is no heartbeat, whose steps would follow it.
void Shard::second_write(std::uint32_t slot, Connection& connection) {
  if (connection.state != State::stream) return;
  owe(connection, proto::kHeartbeat);
  make_ready(slot, connection);
}

// --- the drain ---

// Ends the connections evenly over the drain's time, so that their reconnects are spread too. A
// stream that is asked for meanwhile, on a connection that is open already, opens as ever and ends
// with the last: some clients never come back after a 503.
void Shard::drain() {
  if (state_.phase.load(std::memory_order_relaxed) < Phase::draining) return;
  if (drain_begin_ms_ == 0) {
    drain_begin_ms_ = std::max<std::uint64_t>(now_ms_, 1);
    drain_total_ = table_.used();
    stop_accepting();
  }
  const std::uint64_t time_ms = std::uint64_t{options_->drain_timeout_s} * 1000;
  const std::uint64_t elapsed_ms = now_ms_ - drain_begin_ms_;
  const bool at_end = elapsed_ms >= time_ms;
  if (at_end) drain_slot_ = 0;
  const std::uint64_t goal =
      at_end ? table_.size() : (drain_total_ * elapsed_ms + time_ms - 1) / time_ms;
  while (drain_slot_ < table_.size() && (at_end || drain_done_ < goal)) {
    drain_one(drain_slot_++, at_end);
  }
}

void Shard::drain_one(std::uint32_t slot, bool at_end) {
  Connection& connection = table_[slot];
  switch (connection.state) {
    case State::stream:
      ++drain_done_;
      end_stream(slot, connection);
      return;
    case State::request: {
      ++drain_done_;
      if (at_end) {
        if (end_request(slot, connection, Rejection::draining)) {
          metrics_.count(Rejection::draining);
        }
        return;
      }
      // Who has asked, or has connected in order to, is answered. A client that asks again on a
      // connection that was idle expects that it may be closed.
      const Exchange& exchange = *connection.extra().exchange;
      const bool idle = exchange.answered && !exchange.parser.mid_message() && !connection.owes() &&
                        !waits_for_us(connection);
      if (idle) terminate(slot, connection, false);
      return;
    }
    case State::linger:
      if (at_end) terminate(slot, connection, false);
      return;
    case State::closing:
    case State::free:
      return;
  }
}

void Shard::maintain() {
  if (id_ != 0 || now_ms_ < maintain_ms_) return;
  const bool idle = state_.hub.with([&](core::Hub& hub) {
    hub.maintain(now_ms_);
    return hub.topics() == 0;
  });
  maintain_ms_ = now_ms_ + (idle ? 4 * kMaintainMs : kMaintainMs);
}

// --- invariants ---

void Shard::check_invariants() const {
  std::uint32_t used = 0;
  std::uint32_t leftovers = 0;
  std::uint32_t streams = 0;
  std::uint32_t requests = 0;
  const core::Sequence newest =
      state_.hub.with([](const core::Hub& hub) { return hub.last_sequence(); });
  for (std::uint32_t slot = 0; slot < table_.size() && used < table_.used(); ++slot) {
    const Connection& c = table_[slot];
    if (c.state == State::free) continue;
    ++used;
    leftovers += c.leftover ? 1U : 0U;
    streams += c.state == State::stream ? 1U : 0U;
    const bool request = c.state == State::request || c.state == State::linger;
    requests += request ? 1U : 0U;
    TOCSIN_ASSERT(request == (c.attachment && c.extra().by_age.listed()));
    TOCSIN_ASSERT(!c.batched);  // I5: no send is in flight between turns
    TOCSIN_ASSERT(!(c.blocked && c.ready));
    TOCSIN_ASSERT(c.state != State::closing || c.armed > 0);
    TOCSIN_ASSERT(c.state != State::stream || c.cursor <= newest);  // I6
    TOCSIN_ASSERT(!c.hangup_armed || c.armed > 0);
    if (c.blocked) TOCSIN_ASSERT(c.armed > (c.hangup_armed ? 1 : 0) || c.extra().starved);
    if (c.owes()) TOCSIN_ASSERT(c.blocked || c.ready);  // whoever is owed something will get it
  }
  TOCSIN_ASSERT(used == table_.used());
  TOCSIN_ASSERT(leftovers == sweep_.leftovers);
  TOCSIN_ASSERT(requests == requests_.size());
  TOCSIN_ASSERT(requests <= limits::kMaxRequestConnections);
  TOCSIN_ASSERT(streams == metrics_.streams_open.get());
}

}  // namespace tocsin::net
