// The query parameters of the hub's own resources. One that is not known is refused: a misspelt
// `stream` would publish to the default topic, and nobody would be told. Parameters that are not
// meant for the hub (cache busters, trackers, a proxy's) are ignored; they are listed here and in
// ServerOptions::ignored_parameters. A resource without parameters looks at none: a probe must not
// fail for what it cannot mean.
#pragma once

#include <array>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "net/http/handler.h"
#include "proto/http/query.h"
#include "proto/http/request.h"
#include "proto/sse/event.h"

namespace tocsin::net {

// A name of the position to resume from. Those that clients and polyfills have for it differ in
// case, '-' and '_' only, but for one with a prefix.
[[nodiscard]] bool is_position(std::string_view name);

inline constexpr std::string_view kPositionParameter = "last_event_id";
inline constexpr auto kSubscribeParameters = std::to_array<std::string_view>(
    {"stream", "topic", kPositionParameter, "hello", "heartbeat", "framing"});
inline constexpr auto kPublishParameters = std::to_array<std::string_view>(
    {"stream", "topic", "type", "event", "id", "retry", "msg", "envelope"});

// The request's query, or what is wrong with it.
[[nodiscard]] std::expected<proto::Query, proto::InputError> parse_query(
    const proto::Request& request);
// The same for an endpoint that refuses parameters that it does not know.
[[nodiscard]] std::expected<proto::Query, proto::InputError> known_query(
    const RequestContext& context);

// The first parameter of the context's request that `endpoint` does not know, and that is neither
// ignored nor part of a credential.
[[nodiscard]] std::optional<std::string_view> unknown_parameter(const proto::Query& query,
                                                                const Endpoint& endpoint,
                                                                const RequestContext& context);

}  // namespace tocsin::net
