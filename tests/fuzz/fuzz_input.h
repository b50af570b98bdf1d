// What the fuzz targets share: how an input is taken apart and how a finding is reported.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>
#include <vector>

namespace tocsin::fuzz {

// Ends the process: libFuzzer keeps the input, and the smoke driver names the seed.
inline void require(bool condition, const char* what) {
  if (condition) return;
  std::fprintf(stderr, "fuzz: violated: %s\n", what);
  std::abort();
}

// An input's first bytes choose (splits, forms), the others are what is parsed.
class Input {
 public:
  Input(const std::uint8_t* data, std::size_t size)
      : bytes_(reinterpret_cast<const char*>(data), size) {}

  // The next byte; 0 behind the end.
  std::uint8_t take_byte() {
    if (bytes_.empty()) return 0;
    const auto byte = static_cast<std::uint8_t>(bytes_.front());
    bytes_.remove_prefix(1);
    return byte;
  }

  // Up to `size` bytes.
  std::string_view take(std::size_t size) {
    const std::string_view taken = bytes_.substr(0, size);
    bytes_.remove_prefix(taken.size());
    return taken;
  }

  [[nodiscard]] std::string_view rest() const { return bytes_; }

 private:
  std::string_view bytes_;
};

// Cuts bytes into pieces of 1 to 16 bytes, by a small generator that an input's byte starts: the
// same input is always cut in the same way.
class Splitter {
 public:
  explicit Splitter(std::uint8_t seed) : state_(seed * 2654435761U + 1) {}

  std::string_view next(std::string_view& bytes) {
    state_ = state_ * 1664525U + 1013904223U;
    const std::size_t size = 1 + ((state_ >> 24) & 15);
    const std::string_view piece = bytes.substr(0, size);
    bytes.remove_prefix(piece.size());
    return piece;
  }

 private:
  std::uint32_t state_;
};

}  // namespace tocsin::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
