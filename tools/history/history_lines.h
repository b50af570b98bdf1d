// The events of a history as lines of JSON, one each, and back: what `tocsin history` writes and
// reads, and what `tocsin publish --ndjson` takes, too.
//
//   {"topic":"a","type":"tick","id":"the publisher's own","retry":3000,"data":"…"}
//
// The data is what subscribers get, in an envelope or as base64 where it was sent so.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <functional>
#include <string>

#include "core/batch.h"
#include "proto/limits.h"

namespace tocsin::tools {

// Appends the event's line. False: its body is none of a frame.
[[nodiscard]] bool append_history_line(std::string& out, const core::NewEvent& event);

// A line of the largest event, every byte of which is escaped (\u0000), and its names.
inline constexpr std::size_t kMaxHistoryLine = 8 * limits::kMiB;
static_assert(kMaxHistoryLine >= 6 * limits::kMaxEventData + limits::kMiB);

// The next line with its end, if it has one; of a longer one than kMaxHistoryLine a byte more than
// that. Empty: the end.
using NextLine = std::function<std::string()>;

// Makes a history of lines, a commit of each thousand, and says of how many events. The error is a
// sentence, with the line that is to blame; no file is left then. What a process leaves that is
// killed meanwhile is opened by nobody. A file that is there, or one beside it that would be the
// history's, is an error and stays.
[[nodiscard]] std::expected<std::uint64_t, std::string> make_history_of_lines(
    const std::string& path, const NextLine& next);

}  // namespace tocsin::tools
