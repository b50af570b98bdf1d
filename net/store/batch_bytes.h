// The events of a commit as the bytes that are kept of them, version 1:
//
//   event := size topic  size id  size body        a topic of size 0: the one of the event before
//   size  := seven bits a byte, the lowest first; all bytes but the last have the eighth bit set
//
// What an event is on the wire is kept, not how it was published, so that what comes back is sent
// again as it was. When it was received is not kept: it matters to live events alone.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/batch.h"
#include "core/epochs.h"

namespace tocsin::net {

// Appends the events to `bytes`. `topic` is that of the last event in there, empty if there is
// none; it is then that of the last of these.
void append_events(std::string& bytes, std::span<const core::NewEvent> events,
                   std::string_view& topic);

// The `count` events that `bytes` are, as views into them; nothing: they are not, or one of them
// can be in no history of these epochs (core/publish/event_rules.h). An id of its own that is a
// position in them is left out, and the hub's id stands for it: the epoch was not known yet where
// the event was published, or had not begun.
[[nodiscard]] std::optional<std::vector<core::NewEvent>> read_events(std::string_view bytes,
                                                                     std::size_t count,
                                                                     const core::Epochs& epochs);

// The same, for bytes of which that was asked a moment ago: their form alone.
[[nodiscard]] std::optional<std::vector<core::NewEvent>> read_events_again(
    std::string_view bytes, std::size_t count, const core::Epochs& epochs);

}  // namespace tocsin::net
