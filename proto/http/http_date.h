// HTTP's dates (RFC 9110, 5.6.7), in the one form that is written today: IMF-fixdate, "Sun, 06 Nov
// 1994 08:49:37 GMT". Without the C library, whose names are the locale's. Pure functions.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <optional>
#include <string_view>

namespace tocsin::proto {

inline constexpr std::size_t kHttpDateSize = 29;
using HttpDateText = std::array<char, kHttpDateSize>;

// REQUIRES: a time of the years 0 to 9999.
[[nodiscard]] HttpDateText to_http_date(std::chrono::sys_seconds time);

// Nothing for another form and for days that there are not. The name of the day is not looked at.
[[nodiscard]] std::optional<std::chrono::sys_seconds> parse_http_date(std::string_view text);

}  // namespace tocsin::proto
