// What time does: deadlines, heartbeats, the drain, the hub's housekeeping.
#include <algorithm>

#include "net/shard.h"
#include "proto/assert.h"
#include "proto/sse_encode.h"

namespace tocsin::net {
namespace {

constexpr std::uint64_t kHeartbeatStepMs = 250;
constexpr std::uint64_t kMaintainMs = 250;

}  // namespace

void Shard::set_deadline(std::uint32_t slot, Connection& connection, std::uint64_t at_ms) {
  Attachment& extra = connection.extra();
  extra.deadline_ms = at_ms;
  // It will look again then.
  if (extra.wheel_ms != 0 && extra.wheel_ms < at_ms + TimerWheel::kTickMs) return;
  extra.wheel_ms = wheel_.schedule({.slot = slot, .generation = connection.generation}, at_ms);
}

void Shard::run_timers() {
  wheel_.advance(now_ms_, [this](const TimerWheel::Entry& entry) {
    Connection* connection = find({entry.slot, entry.generation});
    if (connection == nullptr || !connection->attachment) return;
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
  });
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
      } else if (connection.extra().exchange->parser.mid_message()) {
        reply_.clear();
        handler_.refuse(connection.extra().exchange->parser.request(), 408, Rejection::timeout,
                        "the request did not arrive in time", 0, reply_);
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

// Every slot is looked at four times per interval, a part of the table at a time, and one that has
// been silent for about the interval is sent a comment: once per interval on average, after five
// quarters of it at the latest, and no burst. Shards begin at different times.
void Shard::send_heartbeats() {
  const std::uint64_t interval_ms = std::uint64_t{options_->heartbeat_s} * 1000;
  const bool watch =
      metrics_.streams_open.get() > 0 && (interval_ms > 0 || options_->max_stream_age_s > 0);
  if (!watch) {
    heartbeat_ms_ = 0;
    return;
  }
  if (heartbeat_ms_ == 0) {
    heartbeat_ms_ = now_ms_ + kHeartbeatStepMs * (id_ + 1) / state_.hub.shards();
  }
  if (now_ms_ < heartbeat_ms_) return;
  heartbeat_ms_ = std::max(heartbeat_ms_ + kHeartbeatStepMs, now_ms_ + 1);
  const std::uint64_t round_ms =
      std::max(interval_ms > 0 ? interval_ms / 4 : 4000, kHeartbeatStepMs);
  const std::uint64_t slots = (table_.size() * kHeartbeatStepMs + round_ms - 1) / round_ms;
  for (std::uint64_t i = 0; i < std::min<std::uint64_t>(slots, table_.size()); ++i) {
    if (heartbeat_slot_ >= table_.size()) heartbeat_slot_ = 0;
    heartbeat(heartbeat_slot_++);
  }
  deliver_ready();
}

void Shard::heartbeat(std::uint32_t slot) {
  Connection& connection = table_[slot];
  if (connection.state != State::stream) return;
  const std::uint64_t age_s = now_ms_ / 1000 - connection.opened_s;
  // Ages from 3/4 to 5/4, by slot: those that came together do not go together.
  const std::uint64_t percent = 75 + (slot * 2654435761U >> 16) % 50;
  if (options_->max_stream_age_s > 0 && age_s * 100 > options_->max_stream_age_s * percent) {
    terminate(slot, connection, false);
    return;
  }
  const std::uint32_t silent_ds = now_ds() - connection.last_sent_ds;
  // From three quarters of the interval to all of it, by slot: a broadcast made all silent at once.
  const std::uint32_t due_ds =
      options_->heartbeat_s * (750 + (slot * 2654435761U >> 16) % 250) / 100;
  if (options_->heartbeat_s == 0 || silent_ds < due_ds) return;
  if (connection.blocked || connection.ready || connection.owes()) return;
  connection.attach().owed.push_back({nullptr, proto::kHeartbeat});
  metrics_.heartbeats.add();
  make_ready(slot, connection);
}

// --- the drain ---

// Ends the connections evenly over the drain's time, so that their reconnects are spread too.
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
      terminate(slot, connection, connection.blocked);
      return;
    case State::request: {
      ++drain_done_;
      const Exchange& exchange = *connection.extra().exchange;
      const bool idle = !exchange.parser.mid_message() && !exchange.complete && !connection.owes();
      if (idle || at_end) terminate(slot, connection, false);
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

std::uint32_t Shard::jittered(std::uint32_t value) {
  return value / 2 + static_cast<std::uint32_t>(random_() % (std::uint64_t{value} + 1));
}

// --- invariants ---

void Shard::check_invariants() const {
  std::uint32_t used = 0;
  std::uint32_t leftovers = 0;
  std::uint32_t streams = 0;
  const core::Sequence newest =
      state_.hub.with([](const core::Hub& hub) { return hub.last_sequence(); });
  for (std::uint32_t slot = 0; slot < table_.size() && used < table_.used(); ++slot) {
    const Connection& c = table_[slot];
    if (c.state == State::free) continue;
    ++used;
    leftovers += c.leftover ? 1U : 0U;
    streams += c.state == State::stream ? 1U : 0U;
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
  TOCSIN_ASSERT(streams == metrics_.streams_open.get());
}

}  // namespace tocsin::net
