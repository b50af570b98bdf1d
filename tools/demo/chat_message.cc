#include "tools/demo/chat_message.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "proto/assert.h"
#include "proto/json/json_text.h"
#include "proto/text/utf8.h"

namespace tocsin::demo {
namespace {

using proto::InputError;

struct Interval {
  char32_t first;
  char32_t last;
};

// Characters that nobody sees, or that change how others are shown (Unicode 15, general categories
// Cc, Cf, Zl, Zp, and the fillers that look like nothing).
constexpr std::array kUnseen{
    Interval{0x0000, 0x001F}, Interval{0x007F, 0x009F},   Interval{0x00AD, 0x00AD},
    Interval{0x034F, 0x034F}, Interval{0x061C, 0x061C},   Interval{0x115F, 0x1160},
    Interval{0x17B4, 0x17B5}, Interval{0x180B, 0x180F},   Interval{0x200B, 0x200F},
    Interval{0x2028, 0x202E}, Interval{0x2060, 0x206F},   Interval{0x3164, 0x3164},
    Interval{0xFE00, 0xFE0F}, Interval{0xFEFF, 0xFEFF},   Interval{0xFFA0, 0xFFA0},
    Interval{0xFFF0, 0xFFFB}, Interval{0xE0000, 0xE0FFF},
};

// Blanks of all kinds; in a name only U+0020 is allowed.
bool is_wide_blank(char32_t c) {
  return c == 0xA0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x202F || c == 0x205F ||
         c == 0x3000;
}

bool is_unseen(char32_t c) {
  return std::ranges::any_of(
      kUnseen, [c](const Interval& interval) { return c >= interval.first && c <= interval.last; });
}

// The code point at the front, which is taken off. REQUIRES: valid UTF-8, not empty.
char32_t take_code_point(std::string_view& text) {
  TOCSIN_DEBUG_ASSERT(proto::utf8_length(text) > 0);
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(0);
  const std::size_t size = lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  constexpr std::array<unsigned char, 5> kLeadBits{0, 0x7F, 0x1F, 0x0F, 0x07};
  char32_t point = lead & kLeadBits[size];
  for (std::size_t i = 1; i < size; ++i) point = (point << 6) | (byte(i) & 0x3FU);
  text.remove_prefix(size);
  return point;
}

void append_field(std::string& json, std::string_view name, std::string_view value) {
  json += json.empty() ? '{' : ',';
  proto::append_json_string(json, name);
  json += ':';
  proto::append_json_string(json, value);
}

}  // namespace

std::optional<InputError> check_chat_name(std::string_view name, std::string_view field) {
  const auto refuse = [field](std::string message) {
    return InputError{.field = std::string{field}, .message = std::move(message)};
  };
  if (name.empty()) return refuse("is needed");
  if (name.front() == ' ' || name.back() == ' ') return refuse("must not have a blank at an end");
  std::size_t length = 0;
  while (!name.empty()) {
    const char32_t point = take_code_point(name);
    if (is_unseen(point) || is_wide_blank(point)) {
      return refuse("must not have control or invisible characters");
    }
    if (++length > kMaxChatName) return refuse(fmt::format("has at most {} letters", kMaxChatName));
  }
  return {};
}

std::optional<InputError> check_chat_message(std::string_view message) {
  if (message.find_first_not_of(" \t\r\n") == std::string_view::npos) {
    return InputError{.field = "message", .message = "is needed"};
  }
  if (message.size() > kMaxChatMessage) {
    return InputError{.field = "message",
                      .message = fmt::format("has at most {} bytes", kMaxChatMessage)};
  }
  return {};
}

std::string to_json(const ChatMessage& message) {
  std::string json;
  append_field(json, "Type", message.type);
  append_field(json, "From", message.from);
  append_field(json, "To", message.to);
  append_field(json, "Message", message.text);
  append_field(json, "Timestamp", rfc3339_micros(message.time));
  return json + '}';
}

std::string to_json(const ChatPresence& presence) {
  std::string json;
  append_field(json, "Type", presence.type);
  append_field(json, "From", presence.from);
  append_field(json, "Timestamp", rfc3339_micros(presence.time));
  std::string_view separator = R"(,"Users":[)";
  for (const std::string_view user : presence.users) {
    json += separator;
    proto::append_json_string(json, user);
    separator = ",";
  }
  if (presence.users.empty()) json += separator;
  return json + fmt::format(R"(],"Count":{}}})", presence.count);
}

}  // namespace tocsin::demo
