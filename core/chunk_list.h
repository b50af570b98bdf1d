// All chunks of a hub, oldest first: what the hub's cap takes from, and what becomes of a chunk
// that the log drops while a reader is in the middle of one of its frames.
//
// Such a reader has a Pin. A pinned chunk stays when the log drops it, so that the frame can be
// finished, but only within a limit: past it the one that was dropped first goes, pinned or not. So
// the memory of chunks has one bound, whatever readers do; who held the pin finds the chunk gone.
//
// Threads: ChunkList under the hub's lock. A Pin is used and destroyed in the thread of its reader,
// with or without the lock.
#pragma once

#include <cstddef>
#include <deque>
#include <limits>
#include <memory>
#include <utility>

#include "core/chunk.h"

namespace tocsin::core {

// A reader's claim to a chunk. It does not own the chunk, and may outlive it and the hub.
class Pin {
 public:
  Pin(Pin&& other) noexcept = default;
  Pin& operator=(Pin&& other) noexcept {
    std::swap(chunk_, other.chunk_);
    return *this;
  }
  ~Pin() {
    if (const ChunkRef chunk = chunk_.lock()) --chunk->pins_;
  }

  // The chunk, which stays for as long as the result does; null: the hub has taken it back.
  [[nodiscard]] ChunkRef hold() const { return chunk_.lock(); }
  [[nodiscard]] bool gone() const { return chunk_.expired(); }

 private:
  friend class ChunkList;
  explicit Pin(const ChunkRef& chunk) : chunk_(chunk) { ++chunk->pins_; }

  std::weak_ptr<Chunk> chunk_;
};

class ChunkList {
 public:
  // --- chunks of the logs

  void push(Chunk& chunk, TopicLog& owner);
  // Out of the log, and out of memory unless it is pinned (or a piece of it is being sent).
  void drop(ChunkRef chunk);
  // Makes it the newest one.
  void renew(Chunk& chunk);
  [[nodiscard]] Chunk* oldest() const { return oldest_; }
  [[nodiscard]] static TopicLog& owner(const Chunk& chunk) { return *chunk.owner_; }
  [[nodiscard]] std::size_t bytes() const { return bytes_; }

  // --- chunks that no log has any more

  [[nodiscard]] Pin pin(const ChunkRef& chunk);
  [[nodiscard]] std::size_t pinned_bytes() const { return pinned_bytes_; }
  // They take at most `bytes`, from now on.
  void limit_pinned(std::size_t bytes);
  // Lets go of those that nobody claims any more; to be called from time to time.
  void release_unpinned();

 private:
  void unlink(Chunk& chunk);
  void keep(ChunkRef chunk);
  void shrink_pinned();

  Chunk* oldest_ = nullptr;
  Chunk* newest_ = nullptr;
  std::size_t bytes_ = 0;  // sum of capacities

  std::deque<ChunkRef> pinned_;  // in the order in which they were dropped
  std::size_t pinned_bytes_ = 0;
  std::size_t pinned_limit_ = std::numeric_limits<std::size_t>::max();
};

}  // namespace tocsin::core
