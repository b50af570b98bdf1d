// Reads what a hub says of itself at /metrics (Prometheus' text format).
#pragma once

#include <optional>
#include <string_view>

namespace tocsin::tools {

// What all lines of `name` come to together: the shards of one hub. `labels`: a part of the labels
// that a line must have. Nothing if there is no such line.
[[nodiscard]] std::optional<double> sum_of(std::string_view page, std::string_view name,
                                           std::string_view labels = {});

}  // namespace tocsin::tools
