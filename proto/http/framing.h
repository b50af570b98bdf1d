// What stands around the pieces of a stream's body: nothing, or HTTP's chunked coding (RFC 9112,
// 7.1), `SIZE CRLF piece CRLF` with SIZE in hexadecimal. With chunks an event is a piece of its
// own: there are clients that take one chunk for one event.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace tocsin::proto {

enum class Framing : std::uint8_t {
  close,    // the body ends with the connection (RFC 9112, 6.3)
  chunked,  // each piece is a chunk, and kLastChunk ends the body
};

inline constexpr std::string_view kLastChunk = "0\r\n\r\n";

// Appends `piece` to such a body. REQUIRES: it is not empty, as that would be the end.
void append_framed(std::string& out, Framing framing, std::string_view piece);

// proto::kHeartbeat as such a piece, a literal.
[[nodiscard]] std::string_view framed_heartbeat(Framing framing);

// --- a chunk by its sizes: without leading zeros either of them says all others

inline constexpr std::size_t kMaxChunkHead = 2 * sizeof(std::size_t) + 2;
inline constexpr std::string_view kChunkTail = "\r\n";

// Of `SIZE CRLF` for a piece of `size` > 0 bytes.
[[nodiscard]] constexpr std::size_t chunk_head_size(std::size_t size) {
  return (static_cast<std::size_t>(std::bit_width(size)) + 3) / 4 + 2;
}

// Of the whole chunk.
[[nodiscard]] constexpr std::size_t chunk_size(std::size_t size) {
  return chunk_head_size(size) + size + kChunkTail.size();
}

// Writes the head to `out`, which has room for chunk_head_size(size) bytes; returns its end.
char* write_chunk_head(std::size_t size, char* out);

// What is in a whole chunk that the above has made. Its bytes are not looked at.
[[nodiscard]] constexpr std::string_view piece_of(std::string_view chunk) {
  // As many digits as the whole has without the line ends, or one less: the head is not yet out.
  const std::size_t rest = chunk.size() - 2 - kChunkTail.size();
  std::size_t head = chunk_head_size(rest);
  if (chunk_head_size(rest + 2 - head) < head) --head;
  return chunk.substr(head, chunk.size() - head - kChunkTail.size());
}

}  // namespace tocsin::proto
