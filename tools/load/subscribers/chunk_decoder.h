// Takes HTTP's chunked coding (RFC 9112, 7.1) out of received bytes, where they lie, as fast as a
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
    more,    // the body goes on
    ended,   // the last chunk has come; a trailer is not read
    broken,  // this is no such coding, or a chunk is larger than kMaxChunk
  };
  static constexpr std::uint32_t kMaxChunk = (1U << 28) - 1;

  // Takes the next piece of the body off the front of `bytes`: what there is of one chunk. Empty:
  // there is none, and state() says what follows.
  std::span<char> next(std::span<char>& bytes);

  [[nodiscard]] State state() const;
  // The last piece was the end of its chunk.
  [[nodiscard]] bool at_end_of_chunk() const { return place_ == kDataCr; }

 private:
  enum Place : std::uint32_t {
    kSize,
    kMoreSize,
    kExtension,
    kSizeEnd,
    kData,
    kDataCr,
    kDataLf,
    kEnded,
    kBroken,
  };

  // A whole line end and size, which is nearly always what is in front; returns what follows.
  char* skip_usual(char* at, const char* end);
  void step(char c);

  std::uint32_t place_ : 4 = kSize;
  std::uint32_t left_ : 28 = 0;  // of the chunk's data; of its size, what was read so far
};
static_assert(sizeof(ChunkDecoder) == 4);

}  // namespace tocsin::load
