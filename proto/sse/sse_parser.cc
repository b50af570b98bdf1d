#include "proto/sse/sse_parser.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "proto/assert.h"

namespace tocsin::proto {

namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

// The first CR or LF of `bytes`; its size if there is none. Looks window by window, so that a
// stream with only one of the two is not searched to its end for the other at every line.
std::size_t find_line_end(std::string_view bytes) {
  constexpr std::size_t kWindow = 256;
  for (std::size_t at = 0; at < bytes.size(); at += kWindow) {
    const std::string_view window = bytes.substr(at, kWindow);
    const std::size_t lf = std::min(window.find('\n'), window.size());
    const std::size_t end = std::min(window.substr(0, lf).find('\r'), lf);
    if (end < window.size()) return at + end;
  }
  return bytes.size();
}

// ASCII digits only; nothing if there are none. More than fits is as good as for ever: 49 days.
std::optional<std::uint32_t> parse_retry(std::string_view digits) {
  std::uint32_t value = 0;
  const char* end = digits.data() + digits.size();
  const auto [stop, error] = std::from_chars(digits.data(), end, value);
  if (stop != end || error == std::errc::invalid_argument) return std::nullopt;
  return error == std::errc::result_out_of_range ? UINT32_MAX : value;
}

}  // namespace

SseParser::SseParser(OnEvent on_event, std::size_t max_event_bytes)
    : on_event_(std::move(on_event)), max_event_bytes_(max_event_bytes) {}

void SseParser::set_last_event_id(std::string id) {
  last_event_id_ = std::move(id);
  id_buffer_ = last_event_id_;
}

void SseParser::end_of_stream() {
  line_.clear();
  data_.clear();
  type_.clear();
  // An id of the half-read block has not been confirmed by the block's end.
  id_buffer_ = last_event_id_;
  bom_matched_ = 0;
  at_start_ = true;
  after_cr_ = false;
  failed_ = false;
}

void SseParser::skip_byte_order_mark(std::string_view& bytes) {
  while (at_start_ && !bytes.empty()) {
    TOCSIN_ASSERT(bom_matched_ < kByteOrderMark.size());
    if (bytes.front() == kByteOrderMark[bom_matched_]) {
      bytes.remove_prefix(1);
      if (++bom_matched_ == kByteOrderMark.size()) at_start_ = false;
    } else {
      // Not one after all: what looked like it begins the first line.
      line_ = kByteOrderMark.substr(0, bom_matched_);
      at_start_ = false;
    }
  }
}

bool SseParser::feed(std::string_view bytes) {
  skip_byte_order_mark(bytes);
  while (!failed_ && !bytes.empty()) {
    if (after_cr_) {
      after_cr_ = false;
      if (bytes.front() == '\n') {
        bytes.remove_prefix(1);
        continue;
      }
    }
    const std::size_t end = find_line_end(bytes);
    const std::string_view piece = bytes.substr(0, end);
    if (line_.size() + piece.size() > max_event_bytes_) {
      failed_ = true;
      break;
    }
    if (end == bytes.size()) {
      line_ += piece;
      break;
    }
    after_cr_ = bytes[end] == '\r';
    bytes.remove_prefix(end + 1);
    if (line_.empty()) {
      on_line(piece);
    } else {
      line_ += piece;
      on_line(line_);
      line_.clear();
    }
  }
  return !failed_;
}

void SseParser::on_line(std::string_view line) {
  TOCSIN_DEBUG_ASSERT(find_line_end(line) == line.size());
  if (line.empty()) {
    dispatch();
    return;
  }
  const std::size_t colon = line.find(':');
  if (colon == 0) {
    ++comments_;
    return;
  }
  if (colon == std::string_view::npos) {
    on_field(line, {});
    return;
  }
  std::string_view value = line.substr(colon + 1);
  if (value.starts_with(' ')) value.remove_prefix(1);
  on_field(line.substr(0, colon), value);
}

void SseParser::on_field(std::string_view name, std::string_view value) {
  if (name == "data") {
    if (data_.size() + value.size() >= max_event_bytes_) {
      failed_ = true;
      return;
    }
    data_ += value;
    data_ += '\n';
  } else if (name == "event") {
    type_ = value;
  } else if (name == "id") {
    if (value.find('\0') == std::string_view::npos) id_buffer_ = value;
  } else if (name == "retry") {
    if (const auto parsed = parse_retry(value)) retry_ms_ = parsed;
  }
}

void SseParser::dispatch() {
  if (last_event_id_ != id_buffer_) last_event_id_ = id_buffer_;
  if (!data_.empty()) {
    TOCSIN_ASSERT(data_.back() == '\n' && data_.size() <= max_event_bytes_);
    const ReceivedEvent event{
        .type = type_.empty() ? std::string_view("message") : std::string_view(type_),
        .data = std::string_view(data_).substr(0, data_.size() - 1),
        .last_event_id = last_event_id_};
    on_event_(event);
  }
  data_.clear();
  type_.clear();
}

}  // namespace tocsin::proto
