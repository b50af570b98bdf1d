#include "proto/sse/wire_id.h"

#include <algorithm>
#include <utility>

#include "proto/assert.h"
#include "proto/text/percent.h"
#include "proto/text/utf8.h"

namespace tocsin::proto {

namespace {

bool is_printable(char c) {
  return c >= ' ' && c <= '~';
}

bool is_kept(char c) {
  return is_printable(c) && c != '%';
}

}  // namespace

std::string wire_id(std::string_view id) {
  if (std::ranges::all_of(id, is_printable)) return std::string{id};
  return percent_encode(id, is_kept);
}

std::size_t wire_id_size(std::string_view id) {
  if (std::ranges::all_of(id, is_printable)) return id.size();
  const auto kept = static_cast<std::size_t>(std::ranges::count_if(id, is_kept));
  return kept + 3 * (id.size() - kept);
}

std::size_t write_wire_id(std::string_view id, char* out) {
  TOCSIN_ASSERT(id.size() <= limits::kMaxEventId);  // else `out` may be too small
  if (!std::ranges::all_of(id, is_printable)) {
    const std::string encoded = percent_encode(id, is_kept);
    TOCSIN_DEBUG_ASSERT(encoded.size() == wire_id_size(id));
    return static_cast<std::size_t>(std::ranges::copy(encoded, out).out - out);
  }
  return static_cast<std::size_t>(std::ranges::copy(id, out).out - out);
}

std::string meant_id(std::string_view sent) {
  if (!is_utf8(sent)) return utf8_of_latin1(sent);
  auto decoded = percent_decode(sent);
  const bool was_encoded = decoded && is_utf8(*decoded) && wire_id(*decoded) == sent;
  return was_encoded ? *std::move(decoded) : std::string{sent};
}

std::vector<std::string> other_readings(std::string_view sent) {
  std::vector<std::string> readings;
  if (!std::ranges::all_of(sent, is_printable)) {
    if (is_utf8(sent)) readings.push_back(wire_id(sent));
    readings.push_back(wire_id(utf8_of_latin1(sent)));
  } else if (sent.contains('%')) {
    const auto decoded = percent_decode(sent);
    if (decoded && !std::ranges::all_of(*decoded, is_printable)) {
      std::string encoded = wire_id(*decoded);
      if (encoded != sent) readings.push_back(std::move(encoded));
    }
  }
  return readings;
}

}  // namespace tocsin::proto
