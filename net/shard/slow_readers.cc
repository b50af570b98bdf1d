#include "net/shard/slow_readers.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "core/own_events.h"
#include "proto/assert.h"

namespace tocsin::net {
namespace {

// The kernel had no memory for a send; asking at once would be a busy loop.
constexpr std::uint64_t kStarvedMs = 100;

}  // namespace

void SlowReaders::block(std::uint32_t slot, Connection& connection, bool starved) {
  TOCSIN_ASSERT(!connection.blocked && !connection.batched);
  connection.blocked = true;
  Attachment& extra = connection.attach();
  extra.starved = starved;
  extra.blocked_since_ms = shard_.now_ms;
  const bool stream = connection.state == State::stream;
  if (stream) shard_.metrics.streams_blocked.add();
  if (starved) {
    shard_.deadlines.set(slot, connection, shard_.now_ms + kStarvedMs);
    return;
  }
  ++connection.armed;
  shard_.io.watch(connection.fd, shard_.table.token(Op::writable, slot));
  const std::uint64_t slow_ms = std::uint64_t{shard_.options->slow_seconds} * 1000;
  shard_.deadlines.set(slot, connection, shard_.now_ms + (stream ? kCheckMs : slow_ms));
}

void SlowReaders::unblock(std::uint32_t slot, Connection& connection) {
  if (!connection.blocked) return;
  connection.blocked = false;
  Attachment& extra = connection.extra();
  extra.starved = false;
  extra.deadline_ms = 0;
  if (connection.state == State::stream) {
    shard_.metrics.streams_blocked.sub();
    connection.catching_up = true;
    if (const auto behind = std::exchange(extra.skipped_behind, std::nullopt)) {
      owe_gap(connection, *behind);
    }
  } else {
    lifecycle_.progress(slot, connection, std::uint64_t{shard_.options->keep_alive_s} * 1000);
  }
  shard_.ready.add(slot, connection);
}

void SlowReaders::on_gap(std::uint32_t slot, Connection& connection) {
  const auto topics = shard_.topics.cursors(connection);
  const core::SlowRule rule =
      shard_.state.hub.with([&](const core::Hub& hub) { return hub.slow_rule(topics); });
  if (rule.policy == core::SlowPolicy::disconnect) {
    end(slot, connection);
    return;
  }
  const core::Sequence before = connection.cursor;
  connection.cursor = shard_.state.hub.with(
      [&](core::Hub& hub) { return hub.skip_gap(topics, connection.cursor, shard_.now_ms); });
  if (!connection.many_topics()) {
    connection.cursor = std::max(connection.cursor, topics.front().from);
  }
  shard_.metrics.slow_skips.add();
  owe_gap(connection, before);
  shard_.ready.add(slot, connection);
}

// `behind`: the position up to which the stream was sent everything.
void SlowReaders::owe_gap(Connection& connection, core::Sequence behind) {
  std::string frame;
  const proto::Epoch epoch = shard_.state.hub.epoch();
  core::append_gap_frame(frame, core::GapReason::slow, proto::to_string({epoch, behind}),
                         shard_.topics.cursors(connection), {epoch, connection.cursor});
  owe_piece(connection, frame);
  shard_.metrics.gaps.add();
}

// Policy `latest`: forgets what it missed but the newest event; told when there is room.
void SlowReaders::skip_to_latest(Connection& connection) {
  const auto topics = shard_.topics.cursors(connection);
  const core::Sequence before = connection.cursor;
  const auto cursor = shard_.state.hub.with(
      [&](const core::Hub& hub) { return hub.skip_to_latest(topics, before); });
  if (!cursor) return;
  connection.cursor = *cursor;
  auto& behind = connection.extra().skipped_behind;
  if (!behind) behind = before;  // else it was skipped before, and not told yet
  shard_.metrics.slow_skips.add();
}

void SlowReaders::check(std::uint32_t slot, Connection& connection) {
  TOCSIN_ASSERT(connection.state == State::stream && connection.blocked);
  if (connection.lost()) {
    end(slot, connection);
    return;
  }
  const auto topics = shard_.topics.cursors(connection);
  const core::Sequence from = std::max(connection.cursor, connection.opened_at);
  const auto [behind, rule] = shard_.state.hub.with([&](const core::Hub& hub) {
    return std::pair{hub.behind(topics, from), hub.slow_rule(topics)};
  });
  const std::uint64_t slow_ms = std::uint64_t{shard_.options->slow_seconds} * 1000;
  const bool stuck = connection.extra().blocked_since_ms + slow_ms < shard_.now_ms;
  if (stuck || behind.breaks(rule, shard_.now_ms)) {
    if (rule.policy == core::SlowPolicy::disconnect) {
      end(slot, connection);
      return;
    }
    skip_to_latest(connection);
  }
  shard_.deadlines.set(slot, connection, shard_.now_ms + kCheckMs);
}

void SlowReaders::end(std::uint32_t slot, Connection& connection) {
  shard_.metrics.slow_disconnects.add();
  if (connection.blocked) {
    lifecycle_.terminate(slot, connection, true);
  } else {
    lifecycle_.end_stream(slot, connection);
  }
}

}  // namespace tocsin::net
