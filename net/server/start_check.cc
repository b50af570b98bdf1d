#include "net/server/start_check.h"

#include <algorithm>

#include <fmt/format.h>

#include "net/http/cors.h"
#include "net/server/history_choice.h"
#include "proto/http/http_response.h"
#include "proto/limits.h"
#include "proto/sse/event.h"
#include "proto/text/name_pattern.h"

namespace tocsin::net {
namespace {

using CheckResult = std::expected<void, std::string>;

CheckResult check_options(const ServerOptions& options) {
  if (options.listen.empty()) return std::unexpected("there is no address to listen on");
  if (options.shards > limits::kMaxShards) {
    return std::unexpected(
        fmt::format("{} shards, at most {} are possible", options.shards, limits::kMaxShards));
  }
  if (const std::string fault = history_fault(options.history); !fault.empty()) {
    return std::unexpected(fmt::format("history: \"{}\" {}", history_text(options.history), fault));
  }
  const auto bad = std::ranges::find_if_not(options.topics, proto::is_topic_name);
  if (bad != options.topics.end()) {
    return std::unexpected(fmt::format("not a topic's name: \"{}\"", *bad));
  }
  for (std::size_t i = 0; i < options.namespaces.size(); ++i) {
    const std::string fault =
        namespace_fault(options.namespaces[i], std::span{options.namespaces}.first(i));
    if (!fault.empty()) return std::unexpected("topics: " + fault);
  }
  for (const std::string& origin : options.cors_origins) {
    if (const std::string fault = origin_fault(origin); !fault.empty()) {
      return std::unexpected(fmt::format("cors_origins: \"{}\" {}", origin, fault));
    }
  }
  return {};
}

static_assert(Route::kMaxBodyBytes == limits::kMaxRequestBody);

// Such a route would never be asked, or fail whenever it is.
CheckResult check_route(const Route& route) {
  const bool path = route.path.starts_with('/') && std::ranges::none_of(route.path, [](char c) {
                      return static_cast<unsigned char>(c) <= ' ' || c == '?' || c == '#';
                    });
  if (!path) return std::unexpected(fmt::format("not a path: \"{}\"", route.path));
  if (route.method != proto::Method::get && route.method != proto::Method::post) {
    return std::unexpected(fmt::format("route {}: neither get nor post", route.path));
  }
  if (route.max_body_bytes > Route::kMaxBodyBytes) {
    return std::unexpected(fmt::format("route {}: max_body_bytes is at most {}", route.path,
                                       Route::kMaxBodyBytes));
  }
  if (!route.handle) return std::unexpected(fmt::format("route {}: no function", route.path));
  return {};
}

CheckResult check_application(const Application& application) {
  const auto& routes = application.routes;
  for (auto route = routes.begin(); route != routes.end(); ++route) {
    if (auto good = check_route(*route); !good) return good;
    const bool repeated = std::any_of(routes.begin(), route, [&](const Route& before) {
      return before.method == route->method && before.path == route->path &&
             before.prefix == route->prefix;
    });
    if (repeated) return std::unexpected(fmt::format("route {}: there twice", route->path));
  }
  if (!proto::are_extra_headers(application.stream_headers)) {
    return std::unexpected("stream_headers: not whole lines, or fields that the hub sets itself");
  }
  return {};
}

}  // namespace

std::string namespace_fault(const TopicNamespace& space, std::span<const TopicNamespace> before) {
  if (before.size() >= limits::kMaxNamespaces) {
    return fmt::format("there are more than {} namespaces", limits::kMaxNamespaces);
  }
  if (space.match.empty()) return "match is missing";
  if (!proto::is_topic_name(space.match) || !proto::is_name_pattern(space.match)) {
    return fmt::format("match \"{}\" is no topic's name, with or without a * at its end",
                       space.match);
  }
  if (!space.name.empty() && !proto::is_topic_name(space.name)) {
    return fmt::format("name \"{}\" is none", space.name);
  }
  const auto wider = std::ranges::find_if(before, [&space](const TopicNamespace& earlier) {
    return proto::matches_name(earlier.match, space.match);
  });
  if (wider == before.end()) return {};
  return fmt::format("match \"{}\" is never reached behind \"{}\"", space.match, wider->match);
}

CheckResult check_start(const ServerOptions& options, const Application& application) {
  if (auto good = check_options(options); !good) return good;
  return check_application(application);
}

}  // namespace tocsin::net
