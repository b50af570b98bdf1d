// A text that is a number from its first character to its last.
#pragma once

#include <charconv>
#include <concepts>
#include <optional>
#include <string_view>
#include <system_error>

namespace tocsin::proto {

// Nothing: it is empty, has anything else in it (blanks, a plus sign), or does not fit the type. Of
// an unsigned number a minus sign is something else.
// `form`: the base of a whole number, 10 without it; of a fraction none.
template <typename Number, std::same_as<int>... Form>
[[nodiscard]] std::optional<Number> read_number(std::string_view text, Form... form) {
  Number number = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, number, form...);
  if (error != std::errc{} || rest != end) return std::nullopt;
  return number;
}

}  // namespace tocsin::proto
