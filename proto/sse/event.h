// The event as a publisher means it, and the rules that it must keep to be sent as SSE.
//
// Pure values; nothing here owns memory unless it says so. Safe to use from any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace tocsin::proto {

// One event to publish. The views point into the request (or the caller's memory) and must outlive
// the call that they are given to.
struct EventView {
  std::string_view topic{};  // empty: the default topic
  std::string_view type{};   // empty: no `event:` line, which clients read as "message"
  std::string_view id{};     // empty: the hub's own id
  std::string_view data{};   // any UTF-8 text, or empty; LF, CR and CRLF are line ends
  std::optional<std::uint32_t> retry_ms{};
  // Its data is sent within {"topic":…,"data":…}, for those who read several topics:
  // proto/json/envelope.h.
  bool envelope = false;
  // The data is one JSON value, compact, and stays one within an envelope. False: it is text, of
  // which an envelope takes an object or an array for what it is, and all else for a string.
  bool json = false;

  friend bool operator==(const EventView&, const EventView&) = default;
};

inline constexpr std::string_view kDefaultTopic = "events";

// The type of the event that tells of a gap. No publisher can use these three: pages act on them.
inline constexpr std::string_view kGapEvent = "gap";
// The type of the event that a stream opens with where that was asked for. In a browser it is given
// to `onopen`, too.
inline constexpr std::string_view kOpenEvent = "open";
// The type of the event that a stream ends with whose client may not read it any more. A page that
// ends its stream for it, or comes back, has no other way to tell whose it is.
inline constexpr std::string_view kExpiredEvent = "expired";

// What the publisher calls the members of an event, so that errors speak of what was written: the
// topic is `topic` or `stream`, the data the request's `body` or `msg`, and so on.
struct MemberNames {
  std::string_view topic = "topic";
  std::string_view type = "type";
  std::string_view data = "data";
};

// Why an input was refused, in words for the person who sent it.
struct InputError {
  std::string field{};     // the parameter, the key or the part of the request, as it was written
  std::string message{};   // a short sentence without the field's name
  std::size_t line = 0;    // 1-based line (NDJSON) or element (JSON array); 0: not a batch
  bool too_large = false;  // all that is wrong is a size: 413 and not 400

  friend bool operator==(const InputError&, const InputError&) = default;
};

// Checks everything that the wire and the limits ask of an event: a topic and type without controls
// (utf8.h), no type of the hub's own, an id that a Last-Event-ID can carry back (no control of
// ASCII, no blank at an end), data in valid UTF-8, sizes as in proto/limits.h. Returns nothing if
// the event may be published.
[[nodiscard]] std::optional<InputError> check(const EventView& event,
                                              const MemberNames& names = {});

// The member called `name` was given before, as `first`: the same name or another for the same.
[[nodiscard]] InputError given_twice(std::string_view name, std::string_view first);

// A topic's name: 1 to kMaxTopicName bytes of valid UTF-8 without controls (proto/text/utf8.h).
[[nodiscard]] bool is_topic_name(std::string_view name);

}  // namespace tocsin::proto
