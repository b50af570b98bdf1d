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

// What `bytes` say in ISO-8859-1, whose characters are the first 256 of Unicode.
[[nodiscard]] std::string utf8_of_latin1(std::string_view bytes);

}  // namespace tocsin::proto
