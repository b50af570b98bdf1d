#include "proto/sse/event_id.h"

#include <array>
#include <charconv>
#include <cstdint>
#include <cstring>

#include "proto/assert.h"

namespace tocsin::proto {

namespace {

constexpr std::size_t kEpochDigits = 8;

// An id is written twice for each event.
constexpr auto kHexOfByte = [] {
  constexpr std::string_view kHex = "0123456789abcdef";
  std::array<std::array<char, 2>, 256> table{};
  for (std::size_t i = 0; i < table.size(); ++i) table[i] = {kHex[i >> 4], kHex[i & 0xF]};
  return table;
}();

// The value of a lower-case hex digit; -1 for anything else, upper case too: one id has one text.
int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

}  // namespace

std::size_t write_event_id(EventId id, char* out) {
  for (std::size_t i = 0; i < kEpochDigits / 2; ++i) {
    const auto byte = static_cast<std::uint8_t>(id.epoch >> (24 - 8 * i));
    std::memcpy(out + 2 * i, kHexOfByte[byte].data(), 2);
  }
  out[kEpochDigits] = '-';
  const auto written = std::to_chars(out + kEpochDigits + 1, out + kMaxEventIdText, id.sequence);
  TOCSIN_DEBUG_ASSERT(written.ec == std::errc{});  // kMaxEventIdText has room for every sequence
  return static_cast<std::size_t>(written.ptr - out);
}

std::string to_string(EventId id) {
  char text[kMaxEventIdText];
  return {text, write_event_id(id, text)};
}

std::optional<EventId> parse_event_id(std::string_view text) {
  if (text.size() < kEpochDigits + 2 || text.size() > kMaxEventIdText) return std::nullopt;
  if (text[kEpochDigits] != '-') return std::nullopt;
  EventId id;
  for (char c : text.substr(0, kEpochDigits)) {
    const int value = hex_value(c);
    if (value < 0) return std::nullopt;
    id.epoch = id.epoch << 4 | static_cast<Epoch>(value);
  }
  const std::string_view digits = text.substr(kEpochDigits + 1);
  if (digits.size() > 1 && digits.front() == '0') return std::nullopt;
  const char* end = digits.data() + digits.size();
  const auto [stop, error] = std::from_chars(digits.data(), end, id.sequence);
  if (error != std::errc{} || stop != end) return std::nullopt;
  return id;
}

}  // namespace tocsin::proto
