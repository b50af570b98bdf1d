#include "proto/sse/sse_encode.h"

#include <algorithm>
#include <charconv>
#include <limits>

#include "proto/assert.h"
#include "proto/sse/frame_end.h"
#include "proto/sse/wire_id.h"
#include "proto/text/number.h"
#include "proto/text/utf8.h"

namespace tocsin::proto {

namespace {

constexpr std::string_view kEventField = "event: ";
constexpr std::string_view kRetryField = "retry: ";
constexpr std::string_view kDataField = "data: ";
constexpr std::size_t kMaxRetryDigits = std::numeric_limits<std::uint32_t>::digits10 + 1;

void append_number(std::string& out, std::uint32_t number) {
  char digits[kMaxRetryDigits];
  const auto written = std::to_chars(digits, digits + sizeof digits, number);
  out.append(digits, written.ptr);
}

bool has_line_end(std::string_view text) {
  return text.find_first_of("\r\n") != std::string_view::npos;
}

void append_data_line(std::string& out, std::string_view line) {
  out += kDataField;
  out += line;
  out += '\n';
}

// One `data:` field per line of `data`; a line end at the end makes a last, empty line, which the
// client's parser turns back into that line end.
void append_data(std::string& out, std::string_view data) {
  std::size_t start = 0;
  std::size_t next_lf = data.find('\n');
  std::size_t next_cr = data.find('\r');
  while (true) {
    const std::size_t end = std::min(next_lf, next_cr);
    if (end == std::string_view::npos) break;
    append_data_line(out, data.substr(start, end - start));
    start = end + 1;
    if (end == next_cr) {
      if (next_lf == start) ++start;
      next_cr = data.find('\r', start);
    }
    if (next_lf < start) next_lf = data.find('\n', start);
  }
  append_data_line(out, data.substr(start));
}

}  // namespace

std::string encode_frame(const EventView& event) {
  TOCSIN_ASSERT(!has_line_end(event.id));
  std::string frame;
  encode_frame_body(event, frame);
  append_frame_end(frame, wire_id(event.id));
  return frame;
}

void encode_frame_body(const EventView& event, std::string& out) {
  TOCSIN_ASSERT(!has_line_end(event.type));
  TOCSIN_DEBUG_ASSERT(is_utf8(event.data));
  [[maybe_unused]] const std::size_t before = out.size();
  if (!event.type.empty()) {
    out += kEventField;
    out += event.type;
    out += '\n';
  }
  if (event.retry_ms) {
    out += kRetryField;
    append_number(out, *event.retry_ms);
    out += '\n';
  }
  append_data(out, event.data);
  TOCSIN_DEBUG_ASSERT(out.size() - before <= max_frame_body(event.data.size(), event.type.size()));
}

std::optional<EventView> read_frame_body(std::string_view body) {
  // A CR is the end of a line as well, and so the beginning of a field.
  if (!body.ends_with('\n') || body.contains('\r') || !is_utf8(body)) return std::nullopt;
  const auto take_field = [&body](std::string_view field) -> std::optional<std::string_view> {
    if (!body.starts_with(field)) return std::nullopt;
    const auto end = body.find('\n', field.size());
    const std::string_view value = body.substr(field.size(), end - field.size());
    body.remove_prefix(end + 1);
    return value;
  };
  EventView event;
  if (const auto type = take_field(kEventField)) {
    if (type->empty()) return std::nullopt;
    event.type = *type;
  }
  if (const auto retry = take_field(kRetryField)) {
    event.retry_ms = read_number<std::uint32_t>(*retry);
    if (!event.retry_ms) return std::nullopt;
  }
  do {
    if (!take_field(kDataField)) return std::nullopt;
  } while (!body.empty());
  return event;
}

std::size_t max_frame_body(std::size_t size, std::size_t type_size) {
  // Worst case: every byte of the data is a line end, so there are size + 1 empty lines.
  const std::size_t data = (size + 1) * (kDataField.size() + 1);
  const std::size_t type = kEventField.size() + type_size + 1;
  const std::size_t retry = kRetryField.size() + kMaxRetryDigits + 1;
  return type + retry + data;
}

void append_greeting(std::string& out, std::uint32_t retry_ms, std::string_view id) {
  out += "\n: ok\n";
  out += kRetryField;
  append_number(out, retry_ms);
  out += '\n';
  // Without an id nothing waits for the end of a block, so no empty line is sent: some clients
  // would make an event of it.
  TOCSIN_ASSERT(!has_line_end(id));
  if (!id.empty()) append_frame_end(out, id);
}

}  // namespace tocsin::proto
