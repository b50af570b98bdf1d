#include "net/shard/stream_body.h"

#include "proto/assert.h"
#include "proto/limits.h"

namespace tocsin::net {

bool StreamBody::gather(std::vector<core::Piece>& pieces, std::vector<iovec>& vectors) const {
  TOCSIN_DEBUG_ASSERT(vectors.empty());
  if (framing_ == proto::Framing::chunked) {
    for (const core::Piece& piece : pieces) vectors.push_back(vector_of(piece.bytes()));
    return false;
  }
  bool cut = false;
  std::size_t used = 0;
  for (core::Piece& piece : pieces) {
    const std::size_t room = limits::kMaxFrames - vectors.size();
    if (room == 0) break;
    ++used;
    if (piece.last - piece.first > room) {
      piece.last = piece.first + static_cast<std::uint32_t>(room);
      cut = true;
    }
    for (std::uint32_t i = piece.first; i < piece.last; ++i) {
      vectors.push_back(vector_of(piece.page->frame(i)));
    }
  }
  if (used == pieces.size()) return cut;
  pieces.resize(used);
  return true;
}

StreamBody::Taken StreamBody::take(std::span<const core::Piece> pieces, std::size_t bytes) const {
  Taken taken;
  bytes = log_bytes(pieces, bytes);
  for (const core::Piece& piece : pieces) {
    const std::size_t size = piece.bytes().size();
    if (bytes >= size) {
      bytes -= size;
      taken.events += piece.last - piece.first;
      taken.last = piece.last_sequence();
      if (bytes == 0) return taken;
      continue;
    }
    const core::Page& page = *piece.page;
    const auto cut = static_cast<std::uint32_t>(piece.begin() + bytes);
    std::uint32_t low = piece.first;  // the frame that has the byte at `cut`
    std::uint32_t high = piece.last - 1;
    while (low < high) {
      const std::uint32_t middle = low + (high - low) / 2;
      if (page.end_of(middle) <= cut) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    taken.events += low - piece.first;
    if (low > piece.first) taken.last = page.sequence_of(low - 1);
    if (cut == page.begin_of(low)) return taken;
    ++taken.events;
    taken.last = page.sequence_of(low);
    taken.page = piece.page;
    taken.rest = {page.data() + cut, std::size_t{page.end_of(low)} - cut};
    if (framing_ == proto::Framing::close) taken.rest.remove_suffix(proto::kChunkTail.size());
    return taken;
  }
  return taken;
}

// How far into the log's bytes a peer is that took `bytes`.
std::size_t StreamBody::log_bytes(std::span<const core::Piece> pieces, std::size_t bytes) const {
  if (framing_ == proto::Framing::chunked) return bytes;
  std::size_t passed = 0;
  for (const core::Piece& piece : pieces) {
    for (std::uint32_t i = piece.first; i < piece.last; ++i) {
      const std::string_view frame = piece.page->frame(i);
      if (bytes == 0) return passed;
      if (bytes < frame.size()) return passed + proto::chunk_head_size(frame.size()) + bytes;
      bytes -= frame.size();
      passed += piece.page->end_of(i) - piece.page->begin_of(i);
    }
  }
  return passed;
}

}  // namespace tocsin::net
