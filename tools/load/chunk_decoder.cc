#include "tools/load/chunk_decoder.h"

#include <algorithm>
#include <cstddef>
#include <cstring>

namespace tocsin::load {
namespace {

// -1: none.
int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const char lower = static_cast<char>(c | 0x20);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

}  // namespace

ChunkDecoder::State ChunkDecoder::decode(std::span<char>& bytes) {
  char* const begin = bytes.data();
  char* const end = begin + bytes.size();
  char* body = nullptr;
  char* body_end = nullptr;
  State state = State::more;
  for (char* at = begin; at < end;) {
    if (place_ != kData) {
      if (!step(*at++)) {
        state = State::broken;
        break;
      }
      if (place_ == kData && left_ == 0) {
        state = State::ended;
        break;
      }
      continue;
    }
    const auto size = std::min<std::size_t>(left_, static_cast<std::size_t>(end - at));
    if (body == nullptr) {
      body = body_end = at;
    } else if (body_end != at) {
      std::memmove(body_end, at, size);
    }
    body_end += size;
    at += size;
    left_ = (left_ - static_cast<std::uint32_t>(size)) & kMaxChunk;
    if (left_ == 0) place_ = kDataCr;
  }
  if (body == nullptr) body = body_end = begin;
  bytes = {body, body_end};
  return state;
}

bool ChunkDecoder::step(char c) {
  switch (place_) {
    case kSize:
    case kMoreSize: {
      const int value = hex_value(c);
      if (value >= 0) {
        const std::uint32_t size = left_;
        if (size > kMaxChunk >> 4) return false;
        left_ = (size << 4 | static_cast<std::uint32_t>(value)) & kMaxChunk;
        place_ = kMoreSize;
        return true;
      }
      if (place_ == kSize) return false;
      if (c == '\r') {
        place_ = kSizeEnd;
      } else if (c == ';' || c == ' ' || c == '\t') {
        place_ = kExtension;
      } else {
        return false;
      }
      return true;
    }
    case kExtension:
      if (c == '\r') place_ = kSizeEnd;
      return true;
    case kSizeEnd:
      place_ = kData;
      return c == '\n';
    case kDataCr:
      place_ = kDataLf;
      return c == '\r';
    case kDataLf:
      place_ = kSize;
      return c == '\n';
    default:
      return false;
  }
}

}  // namespace tocsin::load
