// The SSE parser on any bytes: like a plain reading of the standard, however they are cut. And on
// what the encoder makes of any event: that event. Input: a byte for the cuts, two for the sizes of
// a type and an id, then the data, which also serves as the raw stream.
#include <cstdint>
#include <string>
#include <string_view>

#include "proto/sse/event.h"
#include "proto/sse/sse_encode.h"
#include "tests/fuzz/fuzz_input.h"
#include "tests/proto/sse/parsed_stream.h"

namespace {

using tocsin::fuzz::require;
using tocsin::fuzz::Splitter;
using tocsin::proto::EventView;
using tocsin::proto::ParsedStream;
using tocsin::proto::StreamRecorder;

void feed(StreamRecorder& recorder, std::string_view piece) {
#ifdef TOCSIN_FUZZ_PLANTED_BUG
  // The canary's: every LF at the start of a piece is taken for the rest of a CRLF.
  if (piece.starts_with('\n')) piece.remove_prefix(1);
#endif
  require(recorder.feed(piece), "no limit is near");
}

ParsedStream parse_whole(std::string_view bytes) {
  StreamRecorder recorder;
  feed(recorder, bytes);
  return recorder.parsed();
}

ParsedStream parse_pieces(std::string_view bytes, Splitter splitter) {
  StreamRecorder recorder;
  while (!bytes.empty()) feed(recorder, splitter.next(bytes));
  return recorder.parsed();
}

// HTML Living Standard, 9.2.6, on the whole text at once and in the standard's order.
class SseModel {
 public:
  static ParsedStream parse(std::string_view bytes) {
    SseModel model;
    if (bytes.starts_with("\xEF\xBB\xBF")) bytes.remove_prefix(3);
    while (true) {
      const std::size_t end = bytes.find_first_of("\r\n");
      if (end == std::string_view::npos) return model.parsed_;
      model.line(std::string(bytes.substr(0, end)));
      bytes.remove_prefix(bytes.substr(end).starts_with("\r\n") ? end + 2 : end + 1);
    }
  }

 private:
  void line(const std::string& text) {
    if (text.empty()) {
      parsed_.last_event_id = id_;
      if (!data_.empty()) {
        data_.pop_back();
        parsed_.events.push_back({type_.empty() ? "message" : type_, data_, id_});
      }
      data_.clear();
      type_.clear();
      return;
    }
    const std::size_t colon = text.find(':');
    if (colon == 0) ++parsed_.comments;
    const std::string name = text.substr(0, colon);
    std::string value = colon == std::string::npos ? "" : text.substr(colon + 1);
    if (!value.empty() && value[0] == ' ') value.erase(0, 1);
    if (name == "event") type_ = value;
    if (name == "data") data_ += value + "\n";
    if (name == "id" && value.find('\0') == std::string::npos) id_ = value;
    if (name == "retry") retry(value);
  }

  void retry(const std::string& value) {
    std::uint64_t number = 0;
    for (char c : value) {
      if (c < '0' || c > '9') return;
      number = number * 10 + static_cast<std::uint64_t>(c - '0');
      if (number > UINT32_MAX) number = UINT32_MAX;
    }
    if (!value.empty()) parsed_.retry_ms = static_cast<std::uint32_t>(number);
  }

  ParsedStream parsed_;
  std::string data_;
  std::string type_;
  std::string id_;
};

// The data as it comes out: every line end is an LF.
std::string with_lf(std::string_view data) {
  std::string out;
  for (std::size_t at = 0; at < data.size(); ++at) {
    if (data[at] != '\r') {
      out += data[at];
    } else if (!data.substr(at + 1).starts_with('\n')) {
      out += '\n';
    }
  }
  return out;
}

void round_trip(const EventView& event, Splitter splitter) {
  if (check(event)) return;
  std::string frame;
  encode_frame_body(event, frame);
  require(frame.size() <= tocsin::proto::max_frame_body(event.data.size(), event.type.size()),
          "a frame is no larger than announced");
  frame += "id: " + std::string(event.id) + "\n\n";
  const ParsedStream expected{.events = {{event.type.empty() ? "message" : std::string(event.type),
                                          with_lf(event.data), std::string(event.id)}},
                              .last_event_id = std::string(event.id),
                              .retry_ms = event.retry_ms,
                              .comments = 0};
  require(parse_whole(frame) == expected, "an encoded event is read as it was");
  require(parse_pieces(frame, splitter) == expected, "also in pieces");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  tocsin::fuzz::Input input(data, size);
  const Splitter splitter(input.take_byte());
  const std::size_t type_size = input.take_byte() % 16;
  const std::size_t id_size = input.take_byte() % 16;

  const std::string_view raw = input.rest();
  const ParsedStream expected = SseModel::parse(raw);
  require(parse_whole(raw) == expected, "raw bytes as the standard reads them");
  require(parse_pieces(raw, splitter) == expected, "raw bytes also in pieces");

  EventView event{.type = input.take(type_size), .id = input.take(id_size)};
  event.data = input.rest();
  if (type_size % 2 == 1) event.retry_ms = static_cast<std::uint32_t>(id_size * 1000);
  round_trip(event, splitter);
  // Most random types are refused; the data deserves its turn all the same.
  event.type = {};
  event.id = {};
  round_trip(event, splitter);
  return 0;
}
