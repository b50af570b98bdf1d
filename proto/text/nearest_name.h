// "Did you mean ...?": the known name that somebody who wrote another one most likely meant.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace tocsin::proto {

// The nearest of `known` by the number of letters that were left out, added, changed or exchanged
// with their neighbour; capitals are no difference, nor are '-' and '_'. Of several that are as
// near, the first. Empty: none is so near that a slip explains it (a third of its letters, at least
// one). `word` may be of any length; the cost is bounded by the length of the known names. The
// result refers to the text of `known`.
[[nodiscard]] std::string_view nearest_name(std::string_view word,
                                            std::span<const std::string_view> known);

// What to tell who wrote `word`, which is none of `known`: "did you mean NAME?", or, where none is
// near, "known are NAME, NAME, NAME".
[[nodiscard]] std::string did_you_mean(std::string_view word,
                                       std::span<const std::string_view> known);

}  // namespace tocsin::proto
