// Characters of ASCII, whatever the locale says; all other bytes are taken as they are.
#pragma once

#include <algorithm>
#include <array>
#include <string>
#include <string_view>

namespace tocsin::proto {

[[nodiscard]] constexpr char to_lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}
[[nodiscard]] constexpr bool is_ascii(char c) {
  return static_cast<unsigned char>(c) < 0x80;
}
[[nodiscard]] constexpr bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
[[nodiscard]] constexpr bool is_alpha(char c) {
  return to_lower(c) >= 'a' && to_lower(c) <= 'z';
}

[[nodiscard]] inline std::string to_lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = to_lower(c);
  return out;
}

[[nodiscard]] constexpr bool equals_ignoring_case(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, [](char x, char y) { return to_lower(x) == to_lower(y); });
}

[[nodiscard]] constexpr bool is_blank(char c) {
  return c == ' ' || c == '\t';
}

// A table, because every byte of every field's name is looked up.
inline constexpr auto kTokenChars = [] {
  std::array<bool, 256> table{};
  for (const char c : std::string_view("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz"
                                       "ABCDEFGHIJKLMNOPQRSTUVWXYZ")) {
    table[static_cast<unsigned char>(c)] = true;
  }
  return table;
}();

// RFC 9110, 5.6.2: only characters of a token. Also true of no character.
[[nodiscard]] constexpr bool is_token(std::string_view text) {
  return std::ranges::all_of(text,
                             [](char c) { return kTokenChars[static_cast<unsigned char>(c)]; });
}

// Without blanks and tabs at either end, which belong to no field's value (RFC 9110, 5.5).
[[nodiscard]] constexpr std::string_view trim(std::string_view text) {
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  return text;
}

// What a header field may hold (RFC 9110, 5.5): no control character but tab, and neither begins
// nor ends with white space.
[[nodiscard]] constexpr bool is_field_value(std::string_view text) {
  return trim(text).size() == text.size() && std::ranges::none_of(text, [](char c) {
           const auto byte = static_cast<unsigned char>(c);
           return (byte < 0x20 && c != '\t') || byte == 0x7f;
         });
}

}  // namespace tocsin::proto
