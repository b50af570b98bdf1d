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

void SlowReaders::block(std::uint32_t slot, Peer& peer, bool starved) {
  TOCSIN_ASSERT(!peer.blocked && !peer.batched);
  peer.blocked = true;
  if (peer.is_stream()) replays_.pause(slot, shard_.table[slot].stream);
  Attachment& extra = peer.attach();
  extra.starved = starved;
  extra.blocked_since_ms = shard_.now_ms;
  if (peer.is_stream()) shard_.metrics.streams_blocked.add();
  if (starved) {
    shard_.deadlines.set(slot, peer, shard_.now_ms + kStarvedMs);
    return;
  }
  ++peer.armed;
  shard_.io.watch(peer.fd, shard_.table.token(Op::writable, slot));
  const std::uint64_t slow_ms = std::uint64_t{shard_.options->slow_seconds} * 1000;
  shard_.deadlines.set(slot, peer, shard_.now_ms + (peer.is_stream() ? kCheckMs : slow_ms));
}

void SlowReaders::unblock(std::uint32_t slot, Connection& connection) {
  auto& [peer, stream] = connection;
  if (!peer.blocked) return;
  peer.blocked = false;
  Attachment& extra = peer.extra();
  extra.starved = false;
  extra.deadline_ms = 0;
  if (peer.is_stream()) {
    shard_.metrics.streams_blocked.sub();
    stream.catching_up = true;
    if (const auto behind = std::exchange(extra.skipped_behind, std::nullopt)) {
      owe_gap(connection, *behind);
    }
  }
  shard_.ready.add(slot, peer);
}

void SlowReaders::on_gap(std::uint32_t slot, Connection& connection) {
  auto& [peer, stream] = connection;
  const auto topics = shard_.topics.cursors(stream);
  const core::SlowRule rule =
      shard_.state.hub.with([&](const core::Hub& hub) { return hub.slow_rule(topics); });
  if (rule.policy == core::SlowPolicy::disconnect) {
    end(slot);
    return;
  }
  const core::Sequence before = stream.cursor;
  stream.cursor = shard_.state.hub.with(
      [&](core::Hub& hub) { return hub.skip_gap(topics, before, shard_.now_ms); });
  if (!stream.many_topics()) stream.cursor = std::max(stream.cursor, topics.front().from);
  shard_.metrics.slow_skips.add();
  owe_gap(connection, before);
  shard_.ready.add(slot, peer);
}

// `behind`: the position up to which the stream was sent everything.
void SlowReaders::owe_gap(Connection& connection, core::Sequence behind) {
  std::string frame;
  const proto::Epoch epoch = shard_.state.hub.epoch();
  core::append_gap_frame(frame, core::GapReason::slow, proto::to_string({epoch, behind}),
                         shard_.topics.cursors(connection.stream),
                         {epoch, connection.stream.cursor});
  connection.peer.owe_piece(frame);
  shard_.metrics.gaps.add();
}

// Policy `latest`: forgets what it missed but the newest event; told when there is room.
void SlowReaders::skip_to_latest(Connection& connection) {
  auto& [peer, stream] = connection;
  const auto topics = shard_.topics.cursors(stream);
  const core::Sequence before = stream.cursor;
  const auto cursor = shard_.state.hub.with(
      [&](const core::Hub& hub) { return hub.skip_to_latest(topics, before); });
  if (!cursor) return;
  stream.cursor = *cursor;
  auto& behind = peer.extra().skipped_behind;
  if (!behind) behind = before;  // else it was skipped before, and not told yet
  shard_.metrics.slow_skips.add();
}

void SlowReaders::check(std::uint32_t slot, Connection& connection) {
  auto& [peer, stream] = connection;
  TOCSIN_ASSERT(peer.is_stream() && peer.blocked);
  if (peer.lost()) {
    end(slot);
    return;
  }
  const auto topics = shard_.topics.cursors(stream);
  const core::Sequence from = std::max(stream.cursor, stream.opened_at);
  const auto [behind, rule] = shard_.state.hub.with([&](const core::Hub& hub) {
    return std::pair{hub.behind(topics, from), hub.slow_rule(topics)};
  });
  const std::uint64_t slow_ms = std::uint64_t{shard_.options->slow_seconds} * 1000;
  const bool stuck = peer.extra().blocked_since_ms + slow_ms < shard_.now_ms;
  if (stuck || (!stream.replaying && behind.breaks(rule, shard_.now_ms))) {
    if (rule.policy == core::SlowPolicy::disconnect) {
      end(slot);
      return;
    }
    skip_to_latest(connection);
  }
  shard_.deadlines.set(slot, peer, shard_.now_ms + kCheckMs);
}

void SlowReaders::end(std::uint32_t slot) {
  shard_.metrics.slow_disconnects.add();
  if (shard_.table[slot].peer.blocked) {
    lifecycle_.terminate(slot, true);
  } else {
    lifecycle_.end_stream(slot);
  }
}

}  // namespace tocsin::net
