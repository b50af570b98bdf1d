// Text as JSON has it (RFC 8259, 7): the one place that quotes.
#pragma once

#include <string>
#include <string_view>

namespace tocsin::proto {

// Appends `text` as a JSON string with its quotes. JSON is UTF-8 (8.1): of a text that is not, as
// in a path echoed into a detail, every byte beyond ASCII is replaced by U+FFFD.
void append_json_string(std::string& out, std::string_view text);

// --- its characters, for who quotes less or more

// An ASCII character within a string: quotes, backslashes and control characters are escaped.
void append_json_char(std::string& out, char c);
// The escape of U+0000 to U+00FF.
void append_json_escape(std::string& out, unsigned char code_point);
// In place of what is not UTF-8.
inline constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD

}  // namespace tocsin::proto
