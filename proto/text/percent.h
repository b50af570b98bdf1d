// Percent-encoding (RFC 3986, 2.1): bytes as '%' and two hexadecimal digits.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace tocsin::proto {

// `text` with every character that is not `kept` as '%' and two upper-case digits.
[[nodiscard]] std::string percent_encode(std::string_view text, bool (*kept)(char));

// The bytes that `text` stands for; nothing if a '%' has no two digits behind it, which may be of
// either case.
[[nodiscard]] std::optional<std::string> percent_decode(std::string_view text);

}  // namespace tocsin::proto
