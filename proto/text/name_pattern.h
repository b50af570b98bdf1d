// Names by a pattern, as operators write it: a `*` at its end stands for anything, so `*` alone is
// every name; without one it is the name itself.
#pragma once

#include <string_view>

namespace tocsin::proto {

// A `*` elsewhere than at the end would look as if it meant something.
[[nodiscard]] constexpr bool is_name_pattern(std::string_view text) {
  return !text.empty() && text.find('*') >= text.size() - 1;
}

// Of two patterns: the first is as wide as the second, or wider.
[[nodiscard]] constexpr bool matches_name(std::string_view pattern, std::string_view name) {
  if (!pattern.ends_with('*')) return name == pattern;
  pattern.remove_suffix(1);
  return name.starts_with(pattern);
}

}  // namespace tocsin::proto
