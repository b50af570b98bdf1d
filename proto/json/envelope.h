// Data with the topic that it comes from. An event stream has no field for it, and who reads
// several topics could not tell them apart.
#pragma once

#include <string>
#include <string_view>

namespace tocsin::proto {

// Appends {"topic":"TOPIC","data":DATA}, one line. DATA is `data` as it is if it is known to be a
// JSON value (`json`); a text that is a JSON object or array, compact; or any other text, a number
// too, as a string: a chat's "42" must not become a number because of what it looks like. What the
// envelope adds counts for no limit of the data.
void append_envelope(std::string& out, std::string_view topic, std::string_view data, bool json);

}  // namespace tocsin::proto
