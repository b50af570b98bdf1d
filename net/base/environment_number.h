// Numbers that a service manager passes in the environment.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string_view>

#include "proto/text/number.h"

namespace tocsin::net {

// Nothing: the variable is not there, or is not a number from its first character to its last.
[[nodiscard]] inline std::optional<std::uint64_t> environment_number(const char* name) {
  const char* text = std::getenv(name);
  if (text == nullptr) return std::nullopt;
  return proto::read_number<std::uint64_t>(text);
}

}  // namespace tocsin::net
