// The hub's own events, each for one stream. A browser cannot read an EventSource's response
// headers, so what a web page is to know has to be an event.
//
// `topics`: all that the connection reads; a direct one is not named. Ids are as they stand on the
// wire (proto/sse/wire_id.h).
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "core/hub.h"

namespace tocsin::core {

using proto::kGapEvent;

[[nodiscard]] std::string_view to_string(GapReason reason);

// How a subscriber is told that events are missing (I6). Appends the frame:
//   event: gap
//   data: {"reason":"expired","last_event_id":"...","topics":["..."]}
//   id: EPOCH-CURSOR
// The id is right before the next event that is sent, so a client is told once. Of several topics
// another may keep events from before the end of the hole: who is cut among those is told again.
// `last_event_id`: from where on events are missing; what the client sent, or in a running stream
// the last position that it was sent.
void append_gap_frame(std::string& out, GapReason reason, std::string_view last_event_id,
                      std::span<const TopicCursor> topics, proto::EventId id);

// What a stream opens with if its client asks for it. Appends the frame:
//   event: open
//   data: {"topics":["..."],"position":"..."}
//   id: POSITION
// `position`: where the stream begins, which is the client's last event id from now on; empty: it
// has none, and there is no `id:`.
void append_open_frame(std::string& out, std::span<const TopicCursor> topics,
                       std::string_view position);

// Why a stream's right to be read is gone.
enum class RightLoss : std::uint8_t {
  expired,       // its client's credential has
  revoked,       // the hub's configuration says something else now, or its subject is revoked
  disconnected,  // not at all: it was ended by hand, and its client may come back
};

[[nodiscard]] std::string_view to_string(RightLoss reason);

// What such a stream ends with. Appends the frame:
//   event: expired
//   data: {"reason":"expired"}
// Without an id: a client that comes back with a good credential goes on where it was.
void append_expired_frame(std::string& out, RightLoss reason);

}  // namespace tocsin::core
