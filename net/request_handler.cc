#include "net/request_handler.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

namespace tocsin::net {
namespace {

using proto::Method;
using proto::Request;

constexpr std::string_view kText = "text/plain; charset=utf-8";
constexpr std::string_view kProblem = "application/problem+json";

enum class Resource : std::uint8_t { none, events, publish, healthz, readyz, metrics };

struct Route {
  std::string_view path;
  Resource resource;
  std::string_view allowed;  // for Allow and Access-Control-Allow-Methods
};

constexpr std::array kRoutes{
    Route{"/events", Resource::events, "GET, HEAD, OPTIONS"},
    Route{"/sse", Resource::events, "GET, HEAD, OPTIONS"},
    Route{"/publish", Resource::publish, "GET, POST, OPTIONS"},
    Route{"/healthz", Resource::healthz, "GET, HEAD, OPTIONS"},
    Route{"/readyz", Resource::readyz, "GET, HEAD, OPTIONS"},
    Route{"/metrics", Resource::metrics, "GET, HEAD, OPTIONS"},
};

const Route* find_route(std::string_view path) {
  const auto it =
      std::ranges::find_if(kRoutes, [path](const Route& route) { return route.path == path; });
  return it == kRoutes.end() ? nullptr : &*it;
}

bool allows(const Route& route, Method method) {
  switch (method) {
    case Method::get:
    case Method::options:
      return true;
    case Method::head:
      return route.resource != Resource::publish;
    case Method::post:
      return route.resource == Resource::publish;
    case Method::other:
      break;
  }
  return false;
}

Outcome refused() {
  return {.kind = Outcome::Kind::refused, .topics = {}, .last_event_id = {}};
}

}  // namespace

Outcome RequestHandler::on_head(const Request& request, const ServerOptions& options,
                                std::string& out) {
  if (!request.has_body) return {};
  const Route* route = find_route(request.path());
  // Without the body being read there is no next request to be found: the connection ends.
  Request last = Request{};
  last.method = request.method;
  last.http_1_1 = request.http_1_1;
  last.keep_alive = false;
  last.target = request.target;
  if (route == nullptr || !allows(*route, request.method)) {
    (void)on_request(last, options, 0, out);
    return refused();
  }
  if (request.expects_continue) out += proto::kContinue;
  return {};
}

Outcome RequestHandler::on_request(const Request& request, const ServerOptions& options,
                                   std::uint64_t now_ms, std::string& out) {
  const Route* route = find_route(request.path());
  if (route == nullptr) {
    return problem(request, 404, Rejection::not_found, "nothing here; streams are at /events", out);
  }
  if (!allows(*route, request.method)) {
    return problem(request, 405, Rejection::method, fmt::format("use {}", route->allowed), out,
                   fmt::format("Allow: {}\r\n", route->allowed));
  }
  if (request.method == Method::options) {
    preflight(request, route->allowed, out);
    return {};
  }
  switch (route->resource) {
    case Resource::events:
      return subscribe(request, out);
    case Resource::publish:
      return publish(request, options, now_ms, out);
    case Resource::healthz:
      reply(request, 200, kText, "ok\n", out);
      return {};
    case Resource::readyz:
      if (state_.phase.load() == Phase::running) {
        reply(request, 200, kText, "ready\n", out);
      } else {
        reply(request, 503, kText, "draining\n", out);
      }
      return {};
    case Resource::metrics:
      reply(request, 200, "text/plain; version=0.0.4; charset=utf-8", render_metrics(state_), out);
      return {};
    case Resource::none:
      break;
  }
  return {};
}

void RequestHandler::on_bad_request(const Request& request, proto::RequestParser::Error error,
                                    std::string& out) {
  using Error = proto::RequestParser::Error;
  switch (error) {
    case Error::head_too_large:
      refuse(request, 431, Rejection::head_too_large,
             fmt::format("the request head is limited to {} bytes", limits::kMaxRequestHead), 0,
             out);
      return;
    case Error::body_too_large:
      refuse(request, 413, Rejection::body_too_large,
             fmt::format("a body is limited to {} bytes", limits::kMaxRequestBody), 0, out);
      return;
    case Error::version:
      refuse(request, 505, Rejection::version, "HTTP/1.0 and HTTP/1.1 are spoken here", 0, out);
      return;
    case Error::method:
      refuse(request, 501, Rejection::method, "this method is not known here", 0, out);
      return;
    case Error::malformed:
    case Error::none:
      refuse(request, 400, Rejection::malformed, "the request is not valid HTTP", 0, out);
      return;
  }
}

void RequestHandler::refuse(const Request& request, int status, Rejection why,
                            std::string_view detail, std::uint32_t retry_after_s,
                            std::string& out) {
  metrics_.rejections[static_cast<std::size_t>(why)].add();
  const std::string retry =
      retry_after_s > 0 ? fmt::format("Retry-After: {}\r\n", retry_after_s) : std::string{};
  proto::append_reply(out, {.status = status,
                            .content_type = kProblem,
                            .body = proto::problem_json(status, detail),
                            .extra_headers = retry,
                            .http_1_1 = request.http_1_1,
                            .keep_alive = false,
                            .head_only = request.method == Method::head});
}

std::optional<proto::Query> RequestHandler::parse_query(const Request& request, std::string& out) {
  auto query = proto::Query::parse(request.query());
  if (query) return query;
  (void)problem(request,
                {.field = "query",
                 .message = fmt::format("is not percent-encoded UTF-8, or has more than {} "
                                        "parameters",
                                        limits::kMaxQueryPairs)},
                out);
  return std::nullopt;
}

void RequestHandler::preflight(const Request& request, std::string_view allowed, std::string& out) {
  reply(request, 204, {}, {}, out,
        fmt::format("Allow: {0}\r\n"
                    "Access-Control-Allow-Methods: {0}\r\n"
                    "Access-Control-Allow-Headers: "
                    "Authorization, Cache-Control, Content-Type, Last-Event-ID\r\n"
                    "Access-Control-Max-Age: 86400\r\n",
                    allowed));
}

void RequestHandler::reply(const Request& request, int status, std::string_view content_type,
                           std::string_view body, std::string& out,
                           std::string_view extra_headers) {
  proto::append_reply(out, {.status = status,
                            .content_type = content_type,
                            .body = body,
                            .extra_headers = extra_headers,
                            .http_1_1 = request.http_1_1,
                            .keep_alive = request.keep_alive,
                            .head_only = request.method == Method::head});
}

Outcome RequestHandler::problem(const Request& request, int status, Rejection why,
                                std::string_view detail, std::string& out,
                                std::string_view extra_headers) {
  metrics_.rejections[static_cast<std::size_t>(why)].add();
  reply(request, status, kProblem, proto::problem_json(status, detail), out, extra_headers);
  return {};
}

Outcome RequestHandler::problem(const Request& request, const proto::InputError& error,
                                std::string& out) {
  metrics_.rejections[static_cast<std::size_t>(Rejection::invalid)].add();
  reply(request, 400, kProblem, proto::problem_json(400, error), out);
  return {};
}

}  // namespace tocsin::net
