#include "core/chunk_list.h"

#include "proto/limits.h"

namespace tocsin::core {

void ChunkList::push(Chunk& chunk, TopicLog& owner) {
  chunk.owner_ = &owner;
  chunk.older_ = newest_;
  (newest_ != nullptr ? newest_->newer_ : oldest_) = &chunk;
  newest_ = &chunk;
  bytes_ += chunk.capacity();
}

void ChunkList::unlink(Chunk& chunk) {
  (chunk.older_ != nullptr ? chunk.older_->newer_ : oldest_) = chunk.newer_;
  (chunk.newer_ != nullptr ? chunk.newer_->older_ : newest_) = chunk.older_;
  chunk.older_ = chunk.newer_ = nullptr;
  chunk.owner_ = nullptr;
  bytes_ -= chunk.capacity();
}

void ChunkList::drop(ChunkRef chunk) {
  unlink(*chunk);
  if (chunk->pins_ > 0) keep(std::move(chunk));
}

void ChunkList::renew(Chunk& chunk) {
  TopicLog& owner = *chunk.owner_;
  unlink(chunk);
  push(chunk, owner);
}

// A reader learns that its socket cut a frame after the lock was released: the log may have dropped
// the chunk since.
Pin ChunkList::pin(const ChunkRef& chunk) {
  Pin pin(chunk);
  if (chunk->owner_ == nullptr && !chunk->kept_) keep(chunk);
  return pin;
}

void ChunkList::keep(ChunkRef chunk) {
  chunk->kept_ = true;
  pinned_bytes_ += chunk->capacity();
  pinned_.push_back(std::move(chunk));
  shrink_pinned();
}

void ChunkList::limit_pinned(std::size_t bytes) {
  pinned_limit_ = bytes;
  shrink_pinned();
}

void ChunkList::shrink_pinned() {
  while (pinned_bytes_ > pinned_limit_ || pinned_.size() > limits::kMaxPinnedChunks) {
    pinned_bytes_ -= pinned_.front()->capacity();
    pinned_.front()->kept_ = false;
    pinned_.pop_front();
  }
}

void ChunkList::release_unpinned() {
  std::erase_if(pinned_, [this](const ChunkRef& chunk) {
    if (chunk->pins_ > 0) return false;
    pinned_bytes_ -= chunk->capacity();
    chunk->kept_ = false;
    return true;
  });
}

}  // namespace tocsin::core
