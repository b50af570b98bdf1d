// What an event must be that comes ready for the log, from whatever the hub does not trust: a file,
// a server, a list that is imported. What publishers send was asked the same before it was encoded
// (proto::check, and Hub::submit of its id).
//
// Pure functions.
#pragma once

#include <string_view>

#include "core/batch.h"
#include "core/epochs.h"

namespace tocsin::core {

// The id has the form of a position in a history of these epochs.
[[nodiscard]] bool is_position(std::string_view id, const Epochs& epochs);

// No publisher may give this id: it is a position in the hub's history, or its beginning.
[[nodiscard]] bool is_reserved_id(std::string_view id, const Epochs& epochs);

// Whether some publisher could have had this event put into a history of these epochs.
[[nodiscard]] bool is_publishable(const NewEvent& event, const Epochs& epochs);

}  // namespace tocsin::core
