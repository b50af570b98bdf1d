// A stream's body as its transport carries it: the one place where pieces of a body, and the log's
// above all, become bytes for the socket, and where bytes that the socket took become a position in
// the log again. Another kind of framing (HTTP/2's, TLS records) is another proto::Framing, and a
// case in each of these functions; nobody else in net/shard asks which one a stream has.
//
// A body is a row of pieces, each an event or lines of comment, and its end. Whatever the framing:
//   - A piece is carried by itself, whole and in its place. What append() makes of it and what
//     gather() makes of the same frame of the log are the same bytes.
//   - gather() copies nothing, and all streams of one framing at one position share what it gives:
//     vectors into the log's pages. They are valid for as long as the pieces are held.
//   - A frame of which the peer has one byte counts as delivered, and its rest is owed: take() says
//     what. So a body never ends, and nothing else stands, in the middle of a piece.
//   - Whatever is owed (Owed) has been framed already.
// The log's bytes are those of a chunked body, which is sent them as they lie. Of a body that ends
// with the connection the frames in them are sent, a vector each.
//
// Stateless; any thread.
#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/page.h"
#include "proto/http/framing.h"

namespace tocsin::net {

class StreamBody {
 public:
  explicit StreamBody(proto::Framing framing) : framing_(framing) {}

  // --- what one stream alone is sent

  // Appends the bytes for `piece`. REQUIRES: it is not empty, as that would be the end.
  void append(std::string& out, std::string_view piece) const {
    proto::append_framed(out, framing_, piece);
  }
  // The bytes for proto::kHeartbeat, a literal.
  [[nodiscard]] std::string_view heartbeat() const { return proto::framed_heartbeat(framing_); }
  // Those that end the body. Empty: the end of the connection does.
  [[nodiscard]] std::string_view end() const {
    return framing_ == proto::Framing::chunked ? proto::kLastChunk : std::string_view{};
  }

  // --- what the log has for all at one position

  // Appends the bytes for `pieces` to `vectors`, which is empty: a vector for each piece, or for
  // each frame, limits::kMaxFrames of them at most. True: `pieces` were cut to what these carry.
  [[nodiscard]] bool gather(std::vector<core::Piece>& pieces, std::vector<iovec>& vectors) const;

  // What a peer has of pieces.
  struct Taken {
    std::uint32_t events = 0;  // with the one that was cut; the bounds are those of `pieces`
    core::Sequence last = 0;   // of these; 0: none
    core::PageRef page;        // that of the rest; null: no frame was cut
    std::string_view rest{};   // its bytes that are to follow, in the page
  };
  // It took the first `bytes` of what gather() made of them, not all.
  [[nodiscard]] Taken take(std::span<const core::Piece> pieces, std::size_t bytes) const;

  bool operator==(const StreamBody&) const = default;

 private:
  [[nodiscard]] std::size_t log_bytes(std::span<const core::Piece> pieces, std::size_t bytes) const;

  proto::Framing framing_;
};

inline iovec vector_of(std::string_view bytes) {
  return {.iov_base = const_cast<char*>(bytes.data()), .iov_len = bytes.size()};
}

}  // namespace tocsin::net
