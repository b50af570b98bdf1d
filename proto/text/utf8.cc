#include "proto/text/utf8.h"

#include <algorithm>

#include <simdjson.h>

#include "proto/text/ascii.h"

namespace tocsin::proto {

namespace {

// Names, types and most small events are ASCII; this spares them simdjson's dispatch and its copy
// of the last block.
bool is_short_ascii(std::string_view text) {
  constexpr std::size_t kShort = 128;
  return text.size() <= kShort && ascii_size(text) == text.size();
}

// Bytes of such a character at the start of `text`, which is not empty; 0: there is none. See
// has_controls().
std::size_t control_length(std::string_view text) {
  const auto at = [&](std::size_t i) {
    return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U;
  };
  const auto is_between = [](unsigned byte, unsigned first, unsigned last) {
    return byte >= first && byte <= last;
  };
  if (at(0) < 0x20 || at(0) == 0x7F) return 1;
  if (at(0) == 0xC2) return is_between(at(1), 0x80, 0x9F) ? 2 : 0;
  if (at(0) != 0xE2) return 0;
  const bool acts = (at(1) == 0x80 && is_between(at(2), 0xA8, 0xAE)) ||
                    (at(1) == 0x81 && is_between(at(2), 0xA6, 0xA9));
  return acts ? 3 : 0;
}

}  // namespace

bool is_utf8(std::string_view text) {
  return is_short_ascii(text) || simdjson::validate_utf8(text.data(), text.size());
}

std::size_t utf8_length(std::string_view text) {
  const auto at = [&](std::size_t i) {
    return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U;
  };
  const auto tail = [&](std::size_t i) { return at(i) >= 0x80 && at(i) <= 0xBF; };
  const unsigned lead = at(0);
  if (lead < 0x80) {
    return 1;
  }
  if (lead >= 0xC2 && lead <= 0xDF) {
    return tail(1) ? 2 : 0;
  }
  if (lead >= 0xE0 && lead <= 0xEF) {
    const bool overlong = lead == 0xE0 && at(1) < 0xA0;
    const bool surrogate = lead == 0xED && at(1) > 0x9F;
    return tail(1) && tail(2) && !overlong && !surrogate ? 3 : 0;
  }
  if (lead >= 0xF0 && lead <= 0xF4) {
    const bool overlong = lead == 0xF0 && at(1) < 0x90;
    const bool beyond = lead == 0xF4 && at(1) > 0x8F;
    return tail(1) && tail(2) && tail(3) && !overlong && !beyond ? 4 : 0;
  }
  return 0;
}

bool has_controls(std::string_view text) {
  for (std::size_t at = 0; at < text.size(); ++at) {
    const auto byte = static_cast<unsigned char>(text[at]);
    const bool may_begin = byte < 0x20 || byte == 0x7F || byte == 0xC2 || byte == 0xE2;
    if (may_begin && control_length(text.substr(at)) > 0) return true;
  }
  return false;
}

std::string without_controls(std::string_view text, char in_place) {
  std::string shown;
  shown.reserve(text.size());
  while (!text.empty()) {
    const std::size_t length = utf8_length(text);
    if (length == 0 || control_length(text) > 0) {
      shown += in_place;
    } else {
      shown += text.substr(0, length);
    }
    text.remove_prefix(std::max<std::size_t>(length, 1));
  }
  return shown;
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
