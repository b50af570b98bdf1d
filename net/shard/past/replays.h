// Streams that resume in what is older than memory: each reads page after page of the store's
// (net/state/past/past_reader.h), by turns, until it is where memory begins.
//
//   none ──go_on──► waits ──take──► has a page ──go_on──► waits …
//                     ▲                  │ its socket is full: pause
//                     └──go_on── rests ◄─┘
//
// The cursor alone says where a stream is, whatever it reads from. The log is asked first: as soon
// as it has what stands behind the cursor the replay ends, and none is sent twice or left out.
//
// Threads: the shard's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <unordered_map>

#include "net/shard/connection.h"
#include "net/shard/connection_table.h"
#include "net/shard/local_topics.h"
#include "net/shard/shard_context.h"
#include "net/state/past/past_turn.h"

namespace tocsin::net {

class Replays {
 public:
  // `shard` outlives it.
  explicit Replays(ShardContext& shard) : shard_(shard) {}

  // The log has not all that stands behind the stream's cursor, and the stream's page, if it has
  // one, no more for it. False: the store has no more than the log, and it is no replay.
  [[nodiscard]] bool go_on(std::uint32_t slot, Connection& connection);
  // What the stream asked for is there. Dropped if it does not wait for that any more.
  void take(const ConnectionTable::Handle& handle, PastTurn&& turn);
  // The stream's socket is full: it rests.
  void pause(std::uint32_t slot, const Stream& stream);
  // The log has all for it, or it ends.
  void end(std::uint32_t slot, Stream& stream);

  // Of a stream that replays. Null: it has none.
  [[nodiscard]] const PastPage* page(std::uint32_t slot) const;
  // It gets one.
  [[nodiscard]] bool waits(std::uint32_t slot) const;

  [[nodiscard]] std::size_t size() const { return replays_.size(); }

 private:
  struct Replay {
    std::uint64_t asked = 0;        // number of the ask; 0: it does not wait
    std::optional<PastTurn> turn{};
  };

  void owe_gap(Connection& connection, core::Sequence behind);

  ShardContext& shard_;
  std::unordered_map<std::uint32_t, Replay> replays_;  // by slot; Stream::replaying says of whom
};

}  // namespace tocsin::net
