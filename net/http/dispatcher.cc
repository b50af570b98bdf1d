#include "net/http/dispatcher.h"

#include <initializer_list>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "net/http/query_parameters.h"
#include "proto/http/http_response.h"
#include "proto/limits.h"

namespace tocsin::net {

Dispatcher::Dispatcher(ServerState& state, ShardMetrics& metrics, std::uint64_t seed)
    : answers_(*state.options(), state.application.stream_headers, metrics, seed),
      subscribe_(state.hub, answers_),
      publish_(state, metrics, answers_),
      health_(answers_),
      readiness_(state, answers_),
      metrics_page_(state, metrics, answers_),
      fallback_(table_, answers_),
      table_(rows(state), fallback_) {}

// The table: the application's routes in their order, then the hub's own.
std::vector<Endpoint> Dispatcher::rows(ServerState& state) {
  using enum proto::Method;
  std::vector<Endpoint> rows;
  for (const Route& route : state.application.routes) {
    rows.push_back({.methods = route.method == get ? MethodSet{get, head} : MethodSet{route.method},
                    .path = route.path,
                    .prefix = route.prefix,
                    .max_body_bytes = route.max_body_bytes,
                    .handler = &routes_.emplace_back(route, state, table_, answers_)});
  }
  const std::initializer_list<Endpoint> own = {
      {.methods = {get, post},
       .path = "/publish",
       .body = BodyPolicy::text,
       .parameters = kPublishParameters,
       .handler = &publish_},
      {.methods = {get, head},
       .path = "/events",
       .parameters = kSubscribeParameters,
       .handler = &subscribe_},
      {.methods = {get, head},
       .path = "/sse",
       .parameters = kSubscribeParameters,
       .handler = &subscribe_},
      {.methods = {get, head}, .path = "/healthz", .handler = &health_},
      {.methods = {get, head}, .path = "/readyz", .handler = &readiness_},
      {.methods = {get, head}, .path = "/metrics", .handler = &metrics_page_},
  };
  rows.insert(rows.end(), own);
  return rows;
}

const Endpoint* Dispatcher::on_head(proto::RequestParser& parser, const ServerOptions& options,
                                    std::string& out) {
  proto::Request& request = parser.request();
  const Endpoint& endpoint = table_.find(request);
  if (!request.has_body) return &endpoint;
  if (endpoint.body == BodyPolicy::none) {
    request.keep_alive = false;
    (void)endpoint.handler->handle({.endpoint = endpoint,
                                    .request = request,
                                    .options = options,
                                    .received_us = 0,
                                    .ticket = {},
                                    .out = out});
    return nullptr;
  }
  if (const auto fault = body_fault(endpoint, request)) {
    answers_.refuse(request, fault->status, fault->why, fault->detail, out, fault->extra_headers);
    return nullptr;
  }
  parser.limit_body(endpoint.max_body_bytes);
  if (request.expects_continue) out += proto::kContinue;
  return &endpoint;
}

Outcome Dispatcher::on_request(const Endpoint& endpoint, const proto::Request& request,
                               const ServerOptions& options, std::uint64_t received_us,
                               const RequestTicket& ticket, std::string& out) {
  const Endpoint* asked = &endpoint;
  while (true) {
    std::optional<Outcome> outcome = asked->handler->handle({.endpoint = *asked,
                                                             .request = request,
                                                             .options = options,
                                                             .received_us = received_us,
                                                             .ticket = ticket,
                                                             .out = out});
    if (outcome) return *std::move(outcome);
    asked = &table_.find_behind(*asked, request);
    // The body was judged for the first row alone.
    if (const auto fault = body_fault(*asked, request)) {
      return answers_.problem(request, fault->status, fault->why, fault->detail, out,
                              fault->extra_headers);
    }
  }
}

void Dispatcher::on_bad_request(proto::RequestParser& parser, std::string& out) {
  using Error = proto::RequestParser::Error;
  proto::Request& request = parser.request();
  switch (parser.error()) {
    case Error::head_too_large:
      answers_.refuse(
          request, 431, Rejection::head_too_large,
          fmt::format("the request head is limited to {} bytes", limits::kMaxRequestHead), out);
      return;
    case Error::body_too_large:
      answers_.refuse(request, 413, Rejection::body_too_large, too_large_words(parser.max_body()),
                      out);
      return;
    case Error::version:
      answers_.refuse(request, 505, Rejection::version, "HTTP/1.0 and HTTP/1.1 are spoken here",
                      out);
      return;
    case Error::method:
      answers_.refuse(request, 501, Rejection::method, "this method is not known here", out);
      return;
    case Error::malformed:
    case Error::none:
      answers_.refuse(request, 400, Rejection::malformed,
                      fmt::format("the request is not valid HTTP: {}", parser.reason()), out);
      return;
  }
}

}  // namespace tocsin::net
