// The epochs of a history as a text: those before the current one with where each ended, oldest
// first, then that: "1f00:120 2a00:350 2b77".
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "core/epochs.h"

namespace tocsin::net {

[[nodiscard]] std::string epochs_text(const core::Epochs& epochs);
// Nothing: it is none.
[[nodiscard]] std::optional<core::Epochs> read_epochs(std::string_view text);

}  // namespace tocsin::net
