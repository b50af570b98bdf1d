#include "net/shard/past/replays.h"

#include <algorithm>
#include <string>
#include <utility>

#include "core/own_events.h"
#include "net/state/past/past_page.h"
#include "proto/assert.h"

namespace tocsin::net {

bool Replays::go_on(std::uint32_t slot, Connection& connection) {
  auto& [peer, stream] = connection;
  const auto topics = shard_.topics.cursors(stream);
  if (stream.replaying) {
    Replay& replay = replays_.at(slot);
    TOCSIN_ASSERT(replay.asked == 0);
    if (replay.turn) stream.cursor = std::max(stream.cursor, replay.turn->page().last());
    replay.turn.reset();
  }
  const auto [past, newest] = shard_.state.hub.with([&](const core::Hub& hub) {
    return std::pair{hub.past(topics, stream.cursor), hub.last_sequence()};
  });
  if (past.memory == 0) {  // the log has it all from here on
    end(slot, stream);
    shard_.ready.add(slot, peer);
    return true;
  }
  if (!stream.replaying) {
    if (!past.is_kept()) return false;
    stream.replaying = true;
    stream.catching_up = true;
    replays_.emplace(slot, Replay{});
  }
  replays_.at(slot).asked = shard_.state.past.ask({.shard = shard_.id,
                                                   .slot = slot,
                                                   .generation = peer.generation,
                                                   .after = stream.cursor,
                                                   .until = newest});
  // While it waits it is sent what it is owed, and ends if it is to.
  if (peer.owes() || stream.finishing) shard_.ready.add(slot, peer);
  return true;
}

void Replays::take(const ConnectionTable::Handle& handle, PastTurn&& turn) {
  Connection* connection = shard_.table.find(handle);
  const auto found = replays_.find(handle.slot);
  if (connection == nullptr || found == replays_.end() || found->second.asked != turn.number()) {
    return;
  }
  auto& [peer, stream] = *connection;
  TOCSIN_ASSERT(stream.replaying && !peer.blocked);
  Replay& replay = found->second;
  replay.asked = 0;
  replay.turn.emplace(std::move(turn));
  const auto topics = shard_.topics.cursors(stream);
  const core::Sequence above = replay.turn->page().above();
  const auto [skipped, newest] = shard_.state.hub.with([&](const core::Hub& hub) {
    return std::pair{hub.skip_hole(topics, stream.cursor, above), hub.last_sequence()};
  });
  // What was published until now is no slowness of a stream that has yet to come that far.
  stream.opened_at = newest;
  if (skipped) {
    const core::Sequence behind = std::exchange(stream.cursor, *skipped);
    if (!stream.many_topics()) stream.cursor = std::max(stream.cursor, topics.front().from);
    owe_gap(*connection, behind);
  }
  shard_.ready.add(handle.slot, peer);
}

void Replays::pause(std::uint32_t slot, const Stream& stream) {
  if (!stream.replaying) return;
  Replay& replay = replays_.at(slot);
  if (const auto asked = std::exchange(replay.asked, 0)) shard_.state.past.withdraw(asked);
  replay.turn.reset();
}

void Replays::end(std::uint32_t slot, Stream& stream) {
  if (!stream.replaying) return;
  pause(slot, stream);
  stream.replaying = false;
  replays_.erase(slot);
}

const PastPage* Replays::page(std::uint32_t slot) const {
  const Replay& replay = replays_.at(slot);
  return replay.turn ? &replay.turn->page() : nullptr;
}

bool Replays::waits(std::uint32_t slot) const {
  return replays_.at(slot).asked != 0;
}

// `behind`: the position up to which the stream was sent everything.
void Replays::owe_gap(Connection& connection, core::Sequence behind) {
  const proto::Epoch epoch = shard_.state.hub.epoch();
  std::string frame;
  core::append_gap_frame(frame, core::GapReason::expired, proto::to_string({epoch, behind}),
                         shard_.topics.cursors(connection.stream),
                         {epoch, connection.stream.cursor});
  connection.peer.owe_piece(frame);
  shard_.metrics.gaps.add();
}

}  // namespace tocsin::net
