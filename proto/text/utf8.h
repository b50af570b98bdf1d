// UTF-8 validity (RFC 3629: no surrogates, no overlong forms, nothing above U+10FFFF).
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace tocsin::proto {

[[nodiscard]] bool is_utf8(std::string_view text);

// Bytes of the well-formed sequence at the start of `text`, 0 if there is none (Unicode 15, table
// 3-7).
[[nodiscard]] std::size_t utf8_length(std::string_view text);

// Whether it has a character that acts on whatever shows it instead of being shown: a control (C0,
// DEL, C1), an end of a line or paragraph (U+2028, U+2029), or one that changes the direction of
// what follows (U+202A to U+202E, U+2066 to U+2069: Unicode Technical Report 36, 2.7). Terminals
// take orders from the first, and the last make a text read as another. Bytes that are no UTF-8 are
// none of these.
[[nodiscard]] bool has_controls(std::string_view text);
// The text with `in_place` for each of these, and for each byte that is no UTF-8.
[[nodiscard]] std::string without_controls(std::string_view text, char in_place = '?');

// What `bytes` say in ISO-8859-1, whose characters are the first 256 of Unicode.
[[nodiscard]] std::string utf8_of_latin1(std::string_view bytes);

}  // namespace tocsin::proto
