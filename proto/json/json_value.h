// JSON values as an event's data: the rules beyond simdjson's, which checks only what is looked at
// and converts what here stays as it is written. Private to this layer.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include <simdjson.h>

#include "proto/sse/event.h"

namespace tocsin::proto {

using MaybeError = std::optional<InputError>;

// RFC 8259, 6, without fraction and exponent.
[[nodiscard]] bool is_integer(std::string_view text);

// A scalar's token without the white space behind it.
[[nodiscard]] std::string_view token_of(simdjson::ondemand::value& v);

// Consumes a string. `out` is its text in the JSON where nothing is escaped, else simdjson's copy.
[[nodiscard]] MaybeError read_raw_string(simdjson::ondemand::value& v, std::string_view& out);

// Walks a value of any type, which stands at `depth` (1: the outermost), to its end.
[[nodiscard]] MaybeError validate(simdjson::ondemand::value v, std::size_t depth);

// Appends `text`, compact, if it is an object or an array that validate() passes; else returns
// false and appends nothing.
[[nodiscard]] bool append_collection(std::string& out, std::string_view text);

[[nodiscard]] InputError json_error(simdjson::error_code code);

}  // namespace tocsin::proto
