// Values as people write them, operators in options and clients in queries: durations, sizes,
// numbers. Pure.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

namespace tocsin::net {

// All errors are sentences for who wrote it that continue "NAME: ...".

// Digits only.
[[nodiscard]] std::expected<std::uint64_t, std::string> parse_number(std::string_view text);

// 500ms, 15s, 2m, 1h, 1d, or a plain number of seconds; the result is in milliseconds.
[[nodiscard]] std::expected<std::uint64_t, std::string> parse_duration_ms(std::string_view text);

// 4096, 64KiB, 1MiB, 2GiB; the result is in bytes.
[[nodiscard]] std::expected<std::uint64_t, std::string> parse_size(std::string_view text);

// true, false.
[[nodiscard]] std::expected<bool, std::string> parse_flag(std::string_view text);

// The same in a query, where scripts write 1 and 0, too.
[[nodiscard]] std::expected<bool, std::string> parse_query_flag(std::string_view text);

// With the largest unit that leaves a whole number; read back by the functions above.
[[nodiscard]] std::string format_duration_ms(std::uint64_t milliseconds);
[[nodiscard]] std::string format_size(std::uint64_t bytes);

}  // namespace tocsin::net
