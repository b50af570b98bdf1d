// The query parameters of the hub's own resources. One that is not known is refused: a misspelt
// `stream` would publish to the default topic, and nobody would be told. Parameters that are not
// meant for the hub (cache busters, trackers, a proxy's) are ignored; they are listed here and in
// ServerOptions::ignored_parameters. A resource without parameters looks at none: a probe must not
// fail for what it cannot mean.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "proto/event.h"
#include "proto/query.h"

namespace tocsin::net {

// A name of the position to resume from. Those that clients and polyfills have for it differ in
// case, '-' and '_' only, but for one with a prefix.
[[nodiscard]] bool is_position(std::string_view name);

// What the hub's own resource at `path` knows; nothing: there is none, or it has no parameters.
[[nodiscard]] std::span<const std::string_view> parameters_at(std::string_view path);

// The first parameter that is neither one of `known` (what parameters_at gave) nor ignored.
[[nodiscard]] std::optional<std::string_view> unknown_parameter(
    const proto::Query& query, std::span<const std::string_view> known,
    std::span<const std::string> ignored);

// What to say of it: which one was probably meant.
[[nodiscard]] proto::InputError refuse_parameter(std::string_view name,
                                                 std::span<const std::string_view> known);

}  // namespace tocsin::net
