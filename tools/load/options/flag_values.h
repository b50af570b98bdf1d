// What stands behind the flags of `tocsin load`, read from text. Every error goes on behind the
// flag's name and a colon: "takes a number from 0 to 1, not 'x'".
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "net/client/response_reader.h"
#include "net/transport/url.h"

namespace tocsin::load {

[[nodiscard]] std::expected<std::uint64_t, std::string> parse_whole(std::string_view text,
                                                                    std::uint64_t min,
                                                                    std::uint64_t max);
// From 0 to `max`; neither NaN nor infinite.
[[nodiscard]] std::expected<double, std::string> parse_real(std::string_view text, double max);

// `Name: value`.
[[nodiscard]] std::expected<net::HeaderField, std::string> parse_header_field(
    std::string_view text);

// `\n`, `\r`, `\t` and `\\`, because a shell passes them on as they are typed.
[[nodiscard]] std::expected<std::string, std::string> unescape(std::string_view text);

// HTTP statuses from 200 to 599, with commas.
[[nodiscard]] std::expected<std::vector<int>, std::string> parse_statuses(std::string_view text);

// An http URL, or why it is none; https is answered with a sentence of its own.
[[nodiscard]] std::expected<net::Url, std::string> parse_target(std::string_view text);

// Letters, digits and - . _ ~ / : need no escaping in a query, a form or JSON.
[[nodiscard]] bool is_plain_name(std::string_view text);

}  // namespace tocsin::load
