#include "proto/utf8.h"

#include <cstdint>
#include <cstring>

#include <simdjson.h>

namespace tocsin::proto {

namespace {

// Names, types and most small events are ASCII; this spares them simdjson's dispatch and its copy
// of the last block.
bool is_short_ascii(std::string_view text) {
  constexpr std::size_t kShort = 128;
  constexpr std::uint64_t kHighBits = 0x8080808080808080;
  if (text.size() > kShort) return false;
  std::uint64_t seen = 0;
  std::size_t at = 0;
  for (; at + 8 <= text.size(); at += 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, text.data() + at, 8);
    seen |= word;
  }
  for (; at < text.size(); ++at) seen |= static_cast<unsigned char>(text[at]);
  return (seen & kHighBits) == 0;
}

}  // namespace

bool is_utf8(std::string_view text) {
  return is_short_ascii(text) || simdjson::validate_utf8(text.data(), text.size());
}

std::string utf8_of_latin1(std::string_view bytes) {
  std::string text;
  text.reserve(2 * bytes.size());
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x80) {
      text += c;
    } else {
      text += static_cast<char>(0xC0 | byte >> 6);
      text += static_cast<char>(0x80 | (byte & 0x3F));
    }
  }
  return text;
}

}  // namespace tocsin::proto
