// Figures for people: three significant digits and a unit.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace tocsin::load {

[[nodiscard]] std::string readable_time(double ns);             // "812 ns", "61.3 ms", "2.50 s"
[[nodiscard]] std::string readable_bytes(double bytes);         // "83 B", "1.20 KB", units of 1,000
[[nodiscard]] std::string readable_rate(double per_s);          // "16.1 /s", "476 k/s", "12.4 M/s"
[[nodiscard]] std::string readable_count(std::uint64_t count);  // "10,000", exact
[[nodiscard]] std::string readable_share(double share);         // "36 %", "0.6 %"
[[nodiscard]] std::string readable_seconds(double seconds);     // "6.21 s"
// What a server sent, for a terminal: everything but printable ASCII as \xNN.
[[nodiscard]] std::string printable(std::string_view text);

}  // namespace tocsin::load
