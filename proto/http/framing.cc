#include "proto/http/framing.h"

#include <charconv>

#include "proto/assert.h"
#include "proto/sse/sse_encode.h"

namespace tocsin::proto {
namespace {

constexpr std::string_view kHeartbeatChunk = "c\r\n: keepalive\n\r\n";
static_assert(piece_of(kHeartbeatChunk) == kHeartbeat && kHeartbeat.size() == 0xc);

}  // namespace

void append_framed(std::string& out, Framing framing, std::string_view piece) {
  TOCSIN_ASSERT(!piece.empty());
  if (framing == Framing::close) {
    out += piece;
    return;
  }
  char head[kMaxChunkHead];
  out.append(head, write_chunk_head(piece.size(), head));
  out += piece;
  out += kChunkTail;
}

std::string_view framed_heartbeat(Framing framing) {
  return framing == Framing::close ? kHeartbeat : kHeartbeatChunk;
}

char* write_chunk_head(std::size_t size, char* out) {
  const auto written = std::to_chars(out, out + chunk_head_size(size) - 2, size, 16);
  TOCSIN_DEBUG_ASSERT(size > 0 && written.ec == std::errc{});
  out = written.ptr;
  *out++ = '\r';
  *out++ = '\n';
  return out;
}

}  // namespace tocsin::proto
