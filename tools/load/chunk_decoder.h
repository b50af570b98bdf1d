// Takes HTTP's chunked coding (RFC 9112, 7.1) out of received bytes, in place, as fast as a
// receiver needs it that is to measure others.
#pragma once

#include <cstdint>
#include <span>

namespace tocsin::load {

// The state of one body: 4 bytes of an idle stream. What the coding allows beside sizes and data
// (extensions, leading zeros) is read over. The result does not depend on where the bytes are cut.
class ChunkDecoder {
 public:
  enum class State : std::uint8_t {
    more,   // the body goes on
    ended,  // the last chunk has come; a trailer is not read
    broken  // this is no such coding, or a chunk is larger than kMaxChunk
  };
  static constexpr std::uint32_t kMaxChunk = (1U << 28) - 1;

  // Makes `bytes` what of the body is in them, contiguous and somewhere within them. The first
  // piece of it stays where it is: a receive of one chunk is not moved.
  State decode(std::span<char>& bytes);

 private:
  enum Place : std::uint32_t { kSize, kMoreSize, kExtension, kSizeEnd, kData, kDataCr, kDataLf };

  // A byte that belongs to no piece; false: it cannot stand here.
  bool step(char c);

  std::uint32_t place_ : 4 = kSize;
  std::uint32_t left_ : 28 = 0;  // of the chunk's data; of its size, what was read so far
};
static_assert(sizeof(ChunkDecoder) == 4);

}  // namespace tocsin::load
