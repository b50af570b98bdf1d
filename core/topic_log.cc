#include "core/topic_log.h"

#include <algorithm>
#include <utility>

#include "proto/assert.h"
#include "proto/limits.h"
#include "proto/sse/frame_end.h"

namespace tocsin::core {
namespace {

// Settings may say "for ever" with the largest number: no sums.
bool older(TimeMs time, TimeMs age_ms, TimeMs now) {
  return now > time && now - time > age_ms;
}

}  // namespace

bool TopicLog::append(std::string_view body, std::string_view tail, bool indexed, Sequence sequence,
                      TimeMs now, ChunkList& all, ReceiptUs received) {
  TOCSIN_ASSERT(sequence > last_sequence_);
  const std::size_t size = body.size() + tail.size();
  const bool grows = newest_ == nullptr || !newest_->accepts(size, sequence, now);
  Chunk& chunk = grows ? add_chunk(size, sequence, now, all) : *newest_;
  chunk.append(body, tail, sequence, now, received);
  last_sequence_ = sequence;
  ++frames_;
  bytes_ += proto::chunk_size(size);
  __builtin_prefetch(&chunks_.back());  // which its readers will be given
  if (indexed) {
    if (!ids_) ids_ = std::make_unique<IdIndex>();
    ids_->try_emplace(proto::id_of_frame(chunk.frame(chunk.frames() - 1)), sequence);
  }
  return grows;
}

Chunk& TopicLog::add_chunk(std::size_t frame_size, Sequence sequence, TimeMs now, ChunkList& all) {
  const std::size_t doubled = newest_ == nullptr ? limits::kMinChunk : 2 * newest_->capacity();
  const std::size_t capacity =
      std::max(std::clamp(doubled, limits::kMinChunk, limits::kMaxChunk), Chunk::cost(frame_size));
  chunks_.push_back(std::make_shared<Chunk>(
      capacity,
      Chunk::Origin{.position = bytes_, .frame = frames_, .sequence = sequence, .time = now}));
  newest_ = chunks_.back().get();
  all.push(*newest_, *this);
  return *newest_;
}

const ChunkRef* TopicLog::find_chunk(Sequence after) const {
  // Most readers are at the end, or lack what is new in the newest chunk. Each other one may be a
  // cache miss or two.
  if (empty() || last_sequence_ <= after) return end();
  const ChunkRef* const newest = end() - 1;
  if (newest_->first_sequence() <= after) return newest;
  return std::ranges::partition_point(
      begin(), newest, [after](const ChunkRef& chunk) { return chunk->last_sequence() <= after; });
}

ReadStatus TopicLog::read(Sequence after, std::size_t max_bytes, Piece& piece) const {
  if (after < dropped_) return ReadStatus::gap;
  const ChunkRef* at = find_chunk(after);
  if (at == end()) return ReadStatus::end;
  const Chunk& chunk = **at;
  piece.chunk = *at;
  piece.first = chunk.first_after(after);
  piece.last = chunk.frames();
  if (piece.first > 0) {
    piece.above = chunk.sequence_of(piece.first - 1);
  } else {
    piece.above = at == begin() ? dropped_ : at[-1]->last_sequence();
  }
  const std::uint64_t limit = chunk.begin_of(piece.first) + std::uint64_t{max_bytes};
  if (chunk.size() > limit) {
    std::uint32_t low = piece.first + 1;
    std::uint32_t high = piece.last;
    while (low < high) {  // the most frames that end within the limit
      const std::uint32_t middle = low + (high - low + 1) / 2;
      if (chunk.end_of(middle - 1) <= limit) {
        low = middle;
      } else {
        high = middle - 1;
      }
    }
    piece.last = low;
  }
  return piece.last_sequence() == last_sequence_ ? ReadStatus::last : ReadStatus::more;
}

Sequence TopicLog::history_floor(const HistoryLimits& limits, TimeMs now) const {
  const auto expired = [&](const Chunk& chunk, std::uint32_t i) {
    return end_frame() - (chunk.begin_frame() + i) > limits.count ||
           end_position() - (chunk.begin_position() + chunk.begin_of(i)) > limits.bytes ||
           older(chunk.time_of(i), limits.age_ms, now);
  };
  // The last chunk of which anything is expired. A search: the backlog window and unswept events
  // can leave many chunks below history, and every subscriber asks.
  const ChunkRef* const kept = std::ranges::partition_point(
      begin(), end(), [&](const ChunkRef& chunk) { return expired(*chunk, 0); });
  if (kept == begin()) return dropped_;
  const Chunk& chunk = **(kept - 1);
  std::uint32_t low = 1;
  std::uint32_t high = chunk.frames();
  while (low < high) {  // the number of expired frames in the chunk
    const std::uint32_t middle = low + (high - low + 1) / 2;
    if (expired(chunk, middle - 1)) {
      low = middle;
    } else {
      high = middle - 1;
    }
  }
  return chunk.sequence_of(low - 1);
}

std::optional<Sequence> TopicLog::find(std::string_view id) const {
  if (!ids_) return std::nullopt;
  const auto it = ids_->find(id);
  if (it == ids_->end()) return std::nullopt;
  return it->second;
}

void TopicLog::trim(const HistoryLimits& history, const BacklogLimits& backlog, Sequence swept,
                    TimeMs now, ChunkList& all) {
  while (!empty()) {
    const Chunk& chunk = *chunks_[head_];
    const std::uint64_t bytes_behind = end_position() - chunk.end_position();
    const bool in_history = end_frame() - chunk.end_frame() < history.count &&
                            bytes_behind < history.bytes &&
                            !older(chunk.last_time(), history.age_ms, now);
    const bool in_backlog =
        bytes_behind < backlog.bytes && !older(chunk.last_time(), backlog.age_ms, now);
    if (in_history || in_backlog || chunk.last_sequence() > swept) return;
    drop_oldest(all);
  }
}

void TopicLog::drop_oldest(ChunkList& all) {
  TOCSIN_ASSERT(!empty());
  const Chunk& chunk = *chunks_[head_];
  TOCSIN_ASSERT(chunk.last_sequence() > dropped_);
  dropped_ = chunk.last_sequence();
  if (ids_) unindex(chunk);
  all.drop(std::exchange(chunks_[head_], nullptr));
  ++head_;
  if (empty()) {
    std::vector<ChunkRef>().swap(chunks_);  // a quiet topic keeps no memory
    newest_ = nullptr;
    head_ = 0;
    ids_.reset();
  } else if (head_ > chunks_.size() / 2) {
    chunks_.erase(chunks_.begin(), chunks_.begin() + static_cast<std::ptrdiff_t>(head_));
    head_ = 0;
  }
}

void TopicLog::unindex(const Chunk& chunk) {
  for (std::uint32_t i = 0; i < chunk.frames(); ++i) {
    const auto it = ids_->find(proto::id_of_frame(chunk.frame(i)));
    if (it != ids_->end() && it->second == chunk.sequence_of(i)) ids_->erase(it);
  }
}

std::uint64_t TopicLog::bytes_after(Sequence after) const {
  const ChunkRef* at = find_chunk(after);
  if (at == end()) return 0;
  const Chunk& chunk = **at;
  return end_position() - (chunk.begin_position() + chunk.begin_of(chunk.first_after(after)));
}

std::optional<Sequence> TopicLog::next_after(Sequence after) const {
  const ChunkRef* at = find_chunk(after);
  if (at == end()) return std::nullopt;
  return (*at)->sequence_of((*at)->first_after(after));
}

std::optional<TimeMs> TopicLog::time_after(Sequence after) const {
  const ChunkRef* at = find_chunk(after);
  if (at == end()) return std::nullopt;
  return (*at)->time_of((*at)->first_after(after));
}

std::uint64_t TopicLog::end_position() const {
  return bytes_;
}
std::uint64_t TopicLog::end_frame() const {
  return frames_;
}

}  // namespace tocsin::core
