// The gap event: how a subscriber is told that events are missing (I6). A browser cannot read an
// EventSource's response headers, so it has to be an event.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "core/hub.h"

namespace tocsin::core {

using proto::kGapEvent;

[[nodiscard]] std::string_view to_string(GapReason reason);

// Appends the frame:
//   event: gap
//   data: {"reason":"expired","last_event_id":"...","topics":["..."]}
//   id: EPOCH-CURSOR
// The id is right before the next event that is sent, so a client is told once. Of several topics
// another may keep events from before the end of the hole: who is cut among those is told again.
// `last_event_id`: from where on events are missing; what the client sent, as it would stand on the
// wire, or in a running stream the last position that it was sent.
// `topics`: all that the connection reads; a direct one is not named.
void append_gap_frame(std::string& out, GapReason reason, std::string_view last_event_id,
                      std::span<const TopicCursor> topics, proto::EventId id);

}  // namespace tocsin::core
