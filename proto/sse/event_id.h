// The hub's own event ids: `EPOCH-SEQUENCE`, e.g. `9f3c21ab-1042`.
//
// The sequence is hub-wide, dense and increasing, so one id is a position in every topic at once.
// The epoch names the history that the sequence counts: it changes when that history is lost, so
// that an id from before a restart is recognised instead of misread. Ids never come from a clock.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace tocsin::proto {

using Epoch = std::uint32_t;
using Sequence = std::uint64_t;  // 1 is the first event of an epoch; 0 is "before every event"

struct EventId {
  Epoch epoch = 0;
  Sequence sequence = 0;

  friend bool operator==(const EventId&, const EventId&) = default;
};

// Eight lower-case hex digits, '-', the decimal sequence without leading zeros (20 digits at most).
inline constexpr std::size_t kMaxEventIdText = 8 + 1 + 20;

// As a Last-Event-ID: no event's id, but the beginning of what is kept. No event may have it.
inline constexpr std::string_view kEarliest = "earliest";

// Writes the id's text to `out` (at least kMaxEventIdText bytes); returns its length.
std::size_t write_event_id(EventId id, char* out);

[[nodiscard]] std::string to_string(EventId id);

// The id that `text` spells in exactly the form above; nothing otherwise (a publisher's own id, an
// id of another hub, or noise).
[[nodiscard]] std::optional<EventId> parse_event_id(std::string_view text);

}  // namespace tocsin::proto
