// Events to SSE wire bytes (HTML Living Standard, 9.2.5 "Parsing an event stream").
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "proto/sse/event.h"

namespace tocsin::proto {

// Appends everything of a frame but its end (proto/sse/frame_end.h): `event:`, `retry:`, one
// `data:` per line. LF, CR and CRLF inside the data are line ends (one left in would let data
// inject fields). REQUIRES: neither type nor id has one, and the data is UTF-8; check() sees to it.
void encode_frame_body(const EventView& event, std::string& out);

// The type and the retry of what encode_frame_body() has made, as views into it; its data is not
// among them. Nothing: it is none, for what no event has or for its form. What check() asks of a
// type and a retry is left to it.
[[nodiscard]] std::optional<EventView> read_frame_body(std::string_view body);

// A whole frame, for one stream alone: with an `id:` line if the event has an id, else without.
// REQUIRES: as above.
[[nodiscard]] std::string encode_frame(const EventView& event);

// The most bytes that encode_frame_body appends for data of `size` bytes and a type of `type_size`.
[[nodiscard]] std::size_t max_frame_body(std::size_t size, std::size_t type_size);

// A comment that keeps proxies and NAT tables awake. One line and no empty line after it: it is no
// event, not even an empty one, to clients that dispatch on every empty line.
inline constexpr std::string_view kHeartbeat = ": keepalive\n";

// The first bytes of a stream's body: an empty line (which dispatches nothing, and takes from
// clients that keep half an event over a reconnect what they would glue to the first line), a
// comment (proxies hold the head back until something flows), the reconnection time, and, if `id`
// is not empty, an id without data, which sets the client's last event id and dispatches nothing: a
// client that is cut off before its first event resumes too.
void append_greeting(std::string& out, std::uint32_t retry_ms, std::string_view id);

}  // namespace tocsin::proto
