// SSE wire bytes to events, as a client reads them (HTML Living Standard, 9.2.6).
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace tocsin::proto {

// An event as a client sees it. The views point into the parser and are valid during the callback.
struct ReceivedEvent {
  std::string_view type;  // "message" where the stream named none
  std::string_view data;
  std::string_view last_event_id;
};

// Takes a stream in pieces cut anywhere, also inside a CRLF, a UTF-8 sequence or the leading byte
// order mark, and calls back for every complete event, in order. Invalid UTF-8 is passed through as
// it came: replacing it is the display's business.
//
// Not thread-safe. A line, an event's data or an id beyond `max_event_bytes` makes feed() return
// false; the stream cannot be read further then (the standard has no bound; a client must).
class SseParser {
 public:
  using OnEvent = std::function<void(const ReceivedEvent&)>;

  explicit SseParser(OnEvent on_event, std::size_t max_event_bytes = std::size_t{16} * 1024 * 1024);

  // Consumes all of `bytes`. False: a limit was passed (see above).
  [[nodiscard]] bool feed(std::string_view bytes);

  // Forgets a half-read event, as at the end of a connection; the last event id stays.
  void end_of_stream();

  // The id that a reconnect sends as Last-Event-ID; empty if there is none. Set by the end of each
  // block, also one that has no data.
  [[nodiscard]] const std::string& last_event_id() const { return last_event_id_; }
  void set_last_event_id(std::string id);

  // The stream's last valid `retry:`, in milliseconds, at most UINT32_MAX.
  [[nodiscard]] std::optional<std::uint32_t> retry_ms() const { return retry_ms_; }

  // Comments seen; a client uses it to tell a live connection from a dead one.
  [[nodiscard]] std::uint64_t comments() const { return comments_; }

 private:
  void skip_byte_order_mark(std::string_view& bytes);
  void on_line(std::string_view line);
  void on_field(std::string_view name, std::string_view value);
  void dispatch();

  OnEvent on_event_;
  std::size_t max_event_bytes_;
  std::string line_;  // the incomplete line at the end of the last piece
  std::string data_;
  std::string type_;
  std::string id_buffer_;
  std::string last_event_id_;
  std::optional<std::uint32_t> retry_ms_;
  std::uint64_t comments_ = 0;
  std::size_t bom_matched_ = 0;  // bytes of a leading byte order mark seen while at_start_
  bool at_start_ = true;         // true exactly until the mark is complete or ruled out
  bool after_cr_ = false;        // the last byte was a CR: an LF that follows belongs to it
  bool failed_ = false;          // a limit was passed
};

}  // namespace tocsin::proto
