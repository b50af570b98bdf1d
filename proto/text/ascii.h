// Characters of ASCII, whatever the locale says; all other bytes are taken as they are.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace tocsin::proto {

[[nodiscard]] constexpr char to_lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}
[[nodiscard]] constexpr bool is_ascii(char c) {
  return static_cast<unsigned char>(c) < 0x80;
}
// How many bytes it begins with are ASCII; eight are looked at together.
[[nodiscard]] inline std::size_t ascii_size(std::string_view text) {
  constexpr std::uint64_t kHighBits = 0x8080'8080'8080'8080;
  std::size_t size = 0;
  for (std::uint64_t word = 0; size + sizeof word <= text.size(); size += sizeof word) {
    std::memcpy(&word, text.data() + size, sizeof word);
    if ((word & kHighBits) != 0) break;
  }
  while (size < text.size() && is_ascii(text[size])) ++size;
  return size;
}
[[nodiscard]] constexpr bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
[[nodiscard]] constexpr bool is_alpha(char c) {
  return to_lower(c) >= 'a' && to_lower(c) <= 'z';
}

[[nodiscard]] constexpr bool is_hex(char c) {
  return is_digit(c) || (to_lower(c) >= 'a' && to_lower(c) <= 'f');
}
// RFC 3986, 2.3: never encoded in a URL.
[[nodiscard]] constexpr bool is_unreserved(char c) {
  return is_alpha(c) || is_digit(c) || c == '-' || c == '.' || c == '_' || c == '~';
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

// A set of characters as a table, for where every byte of a request is looked up.
using CharTable = std::array<bool, 256>;
template <typename Has>
[[nodiscard]] consteval CharTable char_table(Has has) {
  CharTable table{};
  for (std::size_t i = 0; i < table.size(); ++i) table[i] = has(static_cast<char>(i));
  return table;
}
// Also true of no character.
[[nodiscard]] constexpr bool consists_of(std::string_view text, const CharTable& table) {
  return std::ranges::all_of(text, [&](char c) { return table[static_cast<unsigned char>(c)]; });
}

// RFC 9110, 5.6.2: only characters of a token. Also true of no character.
inline constexpr CharTable kTokenChars = char_table([](char c) {
  return is_alpha(c) || is_digit(c) || std::string_view("!#$%&'*+-.^_`|~").contains(c);
});
[[nodiscard]] constexpr bool is_token(std::string_view text) {
  return consists_of(text, kTokenChars);
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
