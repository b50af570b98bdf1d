// What the request parser (and nothing else) does with the bytes of a head by itself.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace tocsin::proto {

// Blanks and tabs at the end.
void trim_end(std::string& text);

// Empties it; gives memory back beyond `max_capacity` bytes.
void clear_keeping(std::string& text, std::size_t max_capacity);

// Appends bytes to `line` up to its end, at most `budget` of them, which it takes off; returns how
// many.
[[nodiscard]] std::size_t take_line(std::string_view bytes, std::uint64_t& budget,
                                    std::string& line);

// The target of a request line of HTTP/1.0 or 1.1 that is well-formed but for its method's name.
// `line` begins within that name, or at the blank behind it, and ends with its line end. Nothing:
// it is no such line.
[[nodiscard]] std::optional<std::string_view> target_of_line(std::string_view line);

}  // namespace tocsin::proto
