// What the request parser (and nothing else) needs to know of header fields.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "proto/http/request.h"

namespace tocsin::proto {

// No known name is longer.
inline constexpr std::size_t kMaxKnownName = 32;

[[nodiscard]] std::optional<Header> known_header(std::string_view name);

// True for a field of which a list makes no sense: its first line counts.
[[nodiscard]] bool first_wins(Header header);
// What stands between the lines of another when they are joined (RFC 9110, 5.3).
[[nodiscard]] std::string_view joint_of(Header header);

// Compares a value that comes in pieces with one word, ignoring case and white space behind it.
class WordMatcher {
 public:
  // `word` is in lower case, shorter than kNever, and outlives the matcher.
  explicit constexpr WordMatcher(std::string_view word) : word_(word) {}

  void start() { matched_ = 0; }
  void add(std::string_view piece);
  [[nodiscard]] bool matches() const { return matched_ == word_.size(); }

 private:
  static constexpr std::uint8_t kNever = UINT8_MAX;

  std::string_view word_;
  std::uint8_t matched_ = 0;  // bytes; kNever: something else was seen
};

}  // namespace tocsin::proto
