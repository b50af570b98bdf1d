#include "tools/load/subscribers/chunk_decoder.h"

#include <algorithm>
#include <array>
#include <cstddef>

namespace tocsin::load {
namespace {

constexpr std::uint32_t kNoDigit = 16;

constexpr auto kDigits = [] {
  std::array<std::uint8_t, 256> digits{};
  digits.fill(kNoDigit);
  for (unsigned c = '0'; c <= '9'; ++c) digits[c] = static_cast<std::uint8_t>(c - '0');
  for (unsigned c = 'a'; c <= 'f'; ++c) {
    digits[c] = digits[c - 'a' + 'A'] = static_cast<std::uint8_t>(c - 'a' + 10);
  }
  return digits;
}();

std::uint32_t digit_of(char c) {
  return kDigits[static_cast<unsigned char>(c)];
}

bool is_line_end(const char* at, const char* end) {
  return end - at >= 2 && at[0] == '\r' && at[1] == '\n';
}

}  // namespace

std::span<char> ChunkDecoder::next(std::span<char>& bytes) {
  char* const end = bytes.data() + bytes.size();
  char* at = skip_usual(bytes.data(), end);
  while (at < end && place_ != kData && place_ < kEnded) step(*at++);
  std::size_t size = 0;
  if (place_ == kData) {
    size = std::min<std::size_t>(left_, static_cast<std::size_t>(end - at));
    left_ = (left_ - static_cast<std::uint32_t>(size)) & kMaxChunk;
    if (left_ == 0) place_ = kDataCr;
  }
  bytes = {at + size, end};
  return {at, size};
}

ChunkDecoder::State ChunkDecoder::state() const {
  return place_ == kEnded ? State::ended : place_ == kBroken ? State::broken : State::more;
}

char* ChunkDecoder::skip_usual(char* at, const char* end) {
  constexpr int kMostDigits = 7;
  if (place_ == kDataCr && is_line_end(at, end)) {
    at += 2;
    place_ = kSize;
  }
  if (place_ != kSize) return at;
  std::uint32_t size = 0;
  char* digits = at;
  while (digits < end && digits - at < kMostDigits && digit_of(*digits) != kNoDigit) {
    size = size << 4 | digit_of(*digits++);
  }
  if (size == 0 || !is_line_end(digits, end)) return at;
  left_ = size & kMaxChunk;
  place_ = kData;
  return digits + 2;
}

void ChunkDecoder::step(char c) {
  const auto go_on = [&](bool good, Place next) { place_ = (good ? next : kBroken) & 0xFU; };
  switch (place_) {
    case kSize:
      left_ = 0;
      if (digit_of(c) == kNoDigit) return go_on(false, kBroken);
      [[fallthrough]];
    case kMoreSize: {
      const std::uint32_t size = left_;
      if (digit_of(c) != kNoDigit) {
        left_ = (size << 4 | digit_of(c)) & kMaxChunk;
        return go_on(size <= kMaxChunk >> 4, kMoreSize);
      }
      if (c == '\r') return go_on(true, kSizeEnd);
      return go_on(c == ';' || c == ' ' || c == '\t', kExtension);
    }
    case kExtension:
      return go_on(true, c == '\r' ? kSizeEnd : kExtension);
    case kSizeEnd:
      return go_on(c == '\n', left_ == 0 ? kEnded : kData);
    case kDataCr:
      return go_on(c == '\r', kDataLf);
    case kDataLf:
      return go_on(c == '\n', kSize);
    default:
      return;
  }
}

}  // namespace tocsin::load
