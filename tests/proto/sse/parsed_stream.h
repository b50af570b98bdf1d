// What the parser has made of a stream's bytes, in a form that is compared and printed.
#pragma once

#include <cstdint>
#include <optional>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include "proto/sse/sse_parser.h"

namespace tocsin::proto {

struct ParsedEvent {
  std::string type = "message";
  std::string data{};
  std::string id{};

  friend bool operator==(const ParsedEvent&, const ParsedEvent&) = default;
  friend std::ostream& operator<<(std::ostream& out, const ParsedEvent& event) {
    return out << '{' << event.type << ", \"" << event.data << "\", " << event.id << '}';
  }
};

struct ParsedStream {
  std::vector<ParsedEvent> events{};
  std::string last_event_id{};
  std::optional<std::uint32_t> retry_ms{};
  std::uint64_t comments = 0;

  friend bool operator==(const ParsedStream&, const ParsedStream&) = default;
  friend std::ostream& operator<<(std::ostream& out, const ParsedStream& stream) {
    for (const auto& event : stream.events) out << event << ' ';
    return out << "last id " << stream.last_event_id << ", retry " << stream.retry_ms.value_or(0)
               << ", comments " << stream.comments;
  }
};

class StreamRecorder {
 public:
  // False: past a limit. Each piece lies in memory of its own, of its own size, so that a sanitizer
  // sees a view that is kept too long, and a byte that is read too many.
  [[nodiscard]] bool feed(std::string_view piece) {
    const std::vector<char> copy(piece.begin(), piece.end());
    return parser_.feed({copy.data(), copy.size()});
  }
  [[nodiscard]] ParsedStream parsed() const {
    ParsedStream stream{.events = events_};
    stream.last_event_id = parser_.last_event_id();
    stream.retry_ms = parser_.retry_ms();
    stream.comments = parser_.comments();
    return stream;
  }

 private:
  std::vector<ParsedEvent> events_;
  SseParser parser_{[this](const ReceivedEvent& event) {
    events_.push_back(
        {std::string(event.type), std::string(event.data), std::string(event.last_event_id)});
  }};
};

}  // namespace tocsin::proto
