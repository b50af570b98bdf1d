#include "proto/http/framing.h"

#include <algorithm>
#include <set>
#include <string>

#include <gtest/gtest.h>

#include "proto/sse/sse_encode.h"

namespace tocsin::proto {
namespace {

std::string chunk_of(std::string_view piece) {
  std::string out;
  append_framed(out, Framing::chunked, piece);
  return out;
}

// What the sizes say against what stands there, for every size around every power of 16.
TEST(FramingTest, AChunkIsKnownByItsSize) {
  std::set<std::size_t> sizes{1, 2, 3};
  for (std::size_t power = 16; power <= std::size_t{1} << 24; power *= 16) {
    for (std::size_t near = power < 40 ? 1 : power - 40; near < power + 40; ++near) {
      sizes.insert(near);
    }
  }
  std::string piece;
  for (const std::size_t size : sizes) {
    piece.resize(size, 'x');
    piece.front() = '<';
    piece.back() = '>';
    const std::string chunk = chunk_of(piece);
    ASSERT_EQ(chunk.size(), chunk_size(size)) << size;
    const std::size_t head = chunk.find("\r\n") + 2;
    ASSERT_EQ(head, chunk_head_size(size)) << size;
    ASSERT_EQ(std::stoull(chunk, nullptr, 16), size);
    ASSERT_NE(chunk.front(), '0') << size;
    ASSERT_TRUE(chunk.ends_with("\r\n")) << size;
    ASSERT_EQ(static_cast<const void*>(piece_of(chunk).data()), chunk.data() + head) << size;
    ASSERT_TRUE(piece_of(chunk) == piece) << size;
  }
}

TEST(FramingTest, CloseDelimitedBytesAreThePieceItself) {
  std::string out = "before|";
  append_framed(out, Framing::close, "data: x\n\n");
  EXPECT_EQ(out, "before|data: x\n\n");
  append_framed(out, Framing::chunked, "data: x\n\n");
  EXPECT_EQ(out, "before|data: x\n\n9\r\ndata: x\n\n\r\n");
}

TEST(FramingTest, TheHeartbeatIsFramedBeforehand) {
  for (const Framing framing : {Framing::close, Framing::chunked}) {
    std::string out;
    append_framed(out, framing, kHeartbeat);
    EXPECT_EQ(framed_heartbeat(framing), out);
    EXPECT_EQ(framed_heartbeat(framing).data(), framed_heartbeat(framing).data());
  }
}

}  // namespace
}  // namespace tocsin::proto
