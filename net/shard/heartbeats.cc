#include "net/shard/heartbeats.h"

#include <algorithm>
#include <array>

#include "proto/sse/sse_encode.h"

namespace tocsin::net {
namespace {

constexpr std::uint64_t kHeartbeatStepMs = 250;
// How many looks ahead records are fetched into the cache: they do not lie side by side.
constexpr std::uint64_t kPrefetch = 8;
// Without heartbeats each slot is looked at in so many steps: whether its stream's time is up.
constexpr std::uint32_t kEndQuarter = 16;

}  // namespace

// The interval has 4 * `quarter` steps. In each of them every `quarter`-th slot is looked at, so
// that each slot is four times per interval: once in its own step, which is its number modulo all
// steps, and three times between. By their own steps the streams of a shard are spread evenly over
// the interval, and shards begin at different steps.
bool Heartbeats::run() {
  const bool watch = shard_.metrics.streams_open.get() > 0 &&
                     (shard_.options->heartbeat_s > 0 || lifecycle_.ending_streams() > 0);
  if (!watch) {
    due_ms_ = 0;
    return false;
  }
  // In steps of a quarter second, a quarter of the interval has as many as the interval seconds.
  static_assert(kHeartbeatStepMs == 250);
  const std::uint32_t quarter = steps();
  if (due_ms_ == 0) {
    due_ms_ = shard_.now_ms + kHeartbeatStepMs * (shard_.id + 1) / shard_.state.hub.shards();
    step_ = std::uint64_t{4} * quarter * shard_.id / shard_.state.hub.shards();
  }
  if (shard_.now_ms < due_ms_) return false;
  // After a stall each slot is looked at once, not once for every round that was missed.
  const std::uint64_t round_ms = (quarter - 1) * kHeartbeatStepMs;
  due_ms_ = std::max(due_ms_, shard_.now_ms - std::min(shard_.now_ms, round_ms));
  for (; due_ms_ <= shard_.now_ms; due_ms_ += kHeartbeatStepMs, ++step_) {
    std::uint64_t since_own = step_ / quarter;  // looks, modulo 4; of the first slot
    for (std::uint64_t slot = step_ % quarter; slot < shard_.table.size(); slot += quarter) {
      const std::uint64_t ahead = slot + kPrefetch * quarter;
      if (ahead < shard_.table.size()) {
        __builtin_prefetch(&shard_.table[static_cast<std::uint32_t>(ahead)], 1);
      }
      beat_or_end(static_cast<std::uint32_t>(slot), since_own-- % 4);
    }
  }
  return true;
}

// Of a walk through the table.
std::uint32_t Heartbeats::steps() const {
  return shard_.options->heartbeat_s > 0 ? shard_.options->heartbeat_s : kEndQuarter;
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
void Heartbeats::beat_or_end(std::uint32_t slot, std::uint64_t since_own) {
  auto& [peer, stream] = shard_.table[slot];
  if (!peer.is_stream()) return;
  if (stream.expires) {
    if (shard_.now_s() >= stream.ends_s) {
      lifecycle_.withdraw_stream(slot, core::RightLoss::expired);
      return;
    }
    await_end(slot, stream);
  } else if (stream.ends_s != 0 && shard_.now_s() > stream.ends_s) {
    lifecycle_.finish_stream(slot);
    return;
  }
  // Of its own interval others look after it.
  if (stream.heartbeat_s != 0 || shard_.options->heartbeat_s == 0) return;
  static_assert(kHeartbeatStepMs * 4 == 1000);
  beat_if_due(slot, peer, since_own, shard_.options->heartbeat_s * kHeartbeatStepMs);
}

// `quarter_ms`: between two looks.
void Heartbeats::beat_if_due(std::uint32_t slot, Peer& peer, std::uint64_t since_own,
                             std::uint64_t quarter_ms) {
  // In quarters, by the looks since the own step. 5: not now, unless a look was missed.
  constexpr std::array<std::uint32_t, 4> kAfterComment{2, 5, 5, 5};
  constexpr std::array<std::uint32_t, 4> kAfterOther{3, 3, 5, 4};
  const std::uint32_t due = (peer.beat ? kAfterComment : kAfterOther)[since_own];
  const std::uint32_t silent_ds = shard_.now_ds() - peer.last_sent_ds;
  if (std::uint64_t{silent_ds} * 100 < due * quarter_ms) return;
  if (peer.blocked || peer.ready || peer.owes()) return;
  peer.owe_heartbeat();
  shard_.metrics.heartbeats.add();
  shard_.ready.add(slot, peer);
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

std::uint64_t own_quarter_ms(const Stream& stream) {
  return (std::uint64_t{stream.heartbeat_s} * 1000 - kLateMs) / 5;
}

// A stream's place in an interval. Numbers that follow each other are spread over all of it.
std::uint64_t phase_ms(std::uint32_t number, std::uint64_t interval_ms) {
  return std::uint64_t{number * 2654435761U} * interval_ms >> 32;
}

}  // namespace

void Heartbeats::await(std::uint32_t slot, const Stream& stream) {
  const std::uint64_t quarter = own_quarter_ms(stream);
  const std::uint64_t since = shard_.now_ms + phase_ms(number_of(slot), 4 * quarter);
  shard_.deadlines.call(slot, Deadlines::Call::heartbeat,
                        shard_.now_ms + quarter - since % quarter);
}

void Heartbeats::look(std::uint32_t slot, Connection& connection) {
  auto& [peer, stream] = connection;
  if (!peer.is_stream()) return;
  const std::uint64_t quarter = own_quarter_ms(stream);
  const std::uint64_t since = shard_.now_ms + phase_ms(number_of(slot), 4 * quarter);
  beat_if_due(slot, peer, since / quarter % 4, quarter);
  await(slot, stream);
}

// --- streams that expire
//
// The walk comes by every few seconds, or minutes where heartbeats are rare. Those whose time comes
// before it does so again are called: of a million that expire, a few thousand.

void Heartbeats::await_end(std::uint32_t slot, const Stream& stream) {
  TOCSIN_ASSERT(stream.expires && stream.ends_s != 0);
  const std::uint64_t next_walk_ms = shard_.now_ms + (steps() + 4) * kHeartbeatStepMs;
  const std::uint64_t end_ms = std::uint64_t{stream.ends_s} * 1000;
  if (end_ms <= next_walk_ms) shard_.deadlines.call(slot, Deadlines::Call::end, end_ms);
}

void Heartbeats::look_at_end(std::uint32_t slot, const Connection& connection) {
  const auto& [peer, stream] = connection;
  if (!peer.is_stream() || !stream.expires) return;
  if (shard_.now_s() >= stream.ends_s) {
    lifecycle_.withdraw_stream(slot, core::RightLoss::expired);
  } else {
    await_end(slot, stream);  // beyond the wheel's horizon
  }
}

void Heartbeats::second_write(std::uint32_t slot, Peer& peer) {
  if (!peer.is_stream()) return;
  peer.owe_piece(proto::kHeartbeat);
  shard_.ready.add(slot, peer);
}

}  // namespace tocsin::net
