// How an event's id stands on the wire: in `id:` lines, in `Event-ID`, in the hub's own events.
//
// Clients send back what stands there, and a header field takes beyond ASCII only what their HTTP
// library lets through: some send UTF-8, some ISO-8859-1, and above U+00FF many fail, a few with
// their whole process. So an id of printable ASCII is sent as it is, and any other is
// percent-encoded: what is not printable ASCII, and its '%', so that decoding gives it back.
//
// Two ids are the same if they are the same on the wire. For an id outside ASCII and its encoded
// form they are (`caf%C3%A9` is another way to write it); of ASCII alone, where '%' stays what it
// is, no two are.
//
// Pure functions.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "proto/limits.h"

namespace tocsin::proto {

// `id` on the wire: at most three times as long. Of any bytes, so that what a client sent can be
// told to it. The wire form of a wire form is the same.
[[nodiscard]] std::string wire_id(std::string_view id);

// Of how many bytes that is.
[[nodiscard]] std::size_t wire_id_size(std::string_view id);

// The same for an id that may be published: written to `out` (limits::kMaxWireId bytes); returns
// its length.
std::size_t write_wire_id(std::string_view id, char* out);

// The id that a client most likely means by what it sent, as it was published: UTF-8, decoded.
[[nodiscard]] std::string meant_id(std::string_view sent);

// The wire forms that a client may mean by `sent` besides `sent` itself: raw UTF-8, ISO-8859-1 (of
// which a text may be either), lower-case digits. Empty for what clients send that send back what
// they got. At most two.
[[nodiscard]] std::vector<std::string> other_readings(std::string_view sent);

}  // namespace tocsin::proto
