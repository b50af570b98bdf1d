// What the program says of a word that it does not know.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "proto/text/nearest_name.h"

namespace tocsin::tools {

// "; did you mean NAME?", or nothing if no known name is near.
[[nodiscard]] inline std::string did_you_mean(std::string_view word,
                                              std::span<const std::string_view> known) {
  const std::string_view name = proto::nearest_name(word, known);
  return name.empty() ? std::string() : "; did you mean " + std::string(name) + "?";
}

}  // namespace tocsin::tools
