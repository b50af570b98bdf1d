// The events of a history as lines of JSON, one each, and back: what `tocsin history` writes and
// reads, and what `tocsin publish --ndjson` takes, too.
//
//   {"topic":"a","type":"tick","id":"the publisher's own","retry":3000,"data":"…"}
//
// The data is what subscribers get, in an envelope or as base64 where it was sent so.
#pragma once

#include <cstdint>
#include <expected>
#include <functional>
#include <string>

#include "core/batch.h"

namespace tocsin::tools {

// Appends the event's line. False: its body is none of a frame.
[[nodiscard]] bool append_history_line(std::string& out, const core::NewEvent& event);

// The next line with its end, if it has one; empty: the end.
using NextLine = std::function<std::string()>;

// Makes a history of lines, a commit of each thousand, and says of how many events. The error is a
// sentence, with the line that is to blame; no file is left then. One that is there is an error.
[[nodiscard]] std::expected<std::uint64_t, std::string> make_history_of_lines(
    const std::string& path, const NextLine& next);

}  // namespace tocsin::tools
