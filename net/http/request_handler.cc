#include "net/http/request_handler.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "net/base/jitter.h"
#include "net/http/query_parameters.h"
#include "proto/ascii.h"

namespace tocsin::net {
namespace {

using proto::Header;
using proto::Method;
using proto::Request;

constexpr std::string_view kText = "text/plain; charset=utf-8";
constexpr std::string_view kProblem = "application/problem+json";

enum class Resource : std::uint8_t { none, events, publish, healthz, readyz, metrics };

struct OwnPath {
  std::string_view path;
  Resource resource;
};

constexpr std::array kOwnPaths{
    OwnPath{"/events", Resource::events},   OwnPath{"/sse", Resource::events},
    OwnPath{"/publish", Resource::publish}, OwnPath{"/healthz", Resource::healthz},
    OwnPath{"/readyz", Resource::readyz},   OwnPath{"/metrics", Resource::metrics},
};

Resource resource_at(std::string_view path) {
  const auto it = std::ranges::find(kOwnPaths, path, &OwnPath::path);
  return it == kOwnPaths.end() ? Resource::none : it->resource;
}

bool serves(Resource resource, Method method) {
  switch (method) {
    case Method::get:
      return resource != Resource::none;
    case Method::head:
      return resource != Resource::none && resource != Resource::publish;
    case Method::post:
      return resource == Resource::publish;
    case Method::options:
    case Method::other:
      break;
  }
  return false;
}

std::string words_for(proto::QueryError error) {
  switch (error) {
    case proto::QueryError::escape:
      return "has a % without two hexadecimal digits behind it";
    case proto::QueryError::utf8:
      return "is not UTF-8 when it is decoded";
    case proto::QueryError::too_many:
      break;
  }
  return fmt::format("has more than {} parameters", limits::kMaxQueryPairs);
}

// What a preflight that asks for `asked` (Access-Control-Request-Headers) may be told: names for
// which a page needs leave here, and every other that it asks for: tracing agents add theirs to all
// requests. A page that may read the answers may as well send any. Not a wildcard, which does
// not cover Authorization (Fetch, 3.3.3) and means nothing to older browsers.
std::string allowed_headers(std::string_view asked) {
  constexpr std::array<std::string_view, 4> kAlways{"Authorization", "Cache-Control",
                                                    "Content-Type", "Last-Event-ID"};
  const std::string always = fmt::format("{}", fmt::join(kAlways, ", "));
  if (asked.size() > limits::kMaxPreflightNames) return always;
  std::string allowed = always;
  while (!asked.empty()) {
    const std::string_view element = asked.substr(0, asked.find(','));
    asked.remove_prefix(std::min(asked.size(), element.size() + 1));
    const std::string_view name = proto::trim(element);
    if (!proto::is_token(name)) return always;
    const bool known = name.empty() || std::ranges::any_of(kAlways, [&](std::string_view one) {
                         return proto::equals_ignoring_case(one, name);
                       });
    if (!known) allowed.append(", ").append(name);
  }
  return allowed;
}

// For people, of an answer 503.
std::string_view words_for(Rejection why) {
  switch (why) {
    case Rejection::connection_limit:
      return "the hub has as many streams as it is configured for";
    case Rejection::address_limit:
      return "this address has as many connections as it may have";
    case Rejection::accept_rate:
      return "streams are being opened faster than the hub is configured for";
    case Rejection::topic_limit:
      return "the hub has as many topics as it may have";
    case Rejection::request_memory:
      return "too many requests at once are unfinished";
    case Rejection::exhausted:
      return "the hub has no room for another connection";
    default:
      return "the hub is shutting down";
  }
}

// After how many seconds it may be worth to ask again, on average: most pass as soon as others
// leave, topics only when they are forgotten.
std::uint32_t retry_after_s(Rejection why) {
  return why == Rejection::topic_limit ? 30 : 5;
}

Outcome refused() {
  return {.kind = Outcome::Kind::refused};
}

}  // namespace

Outcome RequestHandler::on_head(const Request& request, const ServerOptions& options,
                                std::string& out) {
  if (!request.has_body) return {};
  // Without the body being read there is no next request to be found: the connection ends.
  Request last = Request{};
  last.method = request.method;
  last.http_1_1 = request.http_1_1;
  last.keep_alive = false;
  last.target = request.target;
  constexpr auto kOrigin = static_cast<std::size_t>(Header::origin);
  last.headers[kOrigin] = request.headers[kOrigin];
  const bool served = find_route(request) != nullptr ||
                      serves(resource_at(request.path()), request.method) ||
                      (request.method == Method::options && !allowed_at(request.path()).empty());
  if (!served) {
    (void)on_request(last, options, 0, out);
    return refused();
  }
  if (resource_at(request.path()) == Resource::publish && !find_route(request)) {
    if (refuse_unreadable(request, last, out)) return refused();
  }
  if (request.expects_continue) out += proto::kContinue;
  return {};
}

Outcome RequestHandler::on_request(const Request& request, const ServerOptions& options,
                                   std::uint64_t received_us, std::string& out) {
  // RFC 9110, 9.3.7: what the server as a whole can do.
  if (request.method == Method::options && request.target == "*") {
    preflight(request, "GET, HEAD, POST, OPTIONS", out);
    return {};
  }
  if (const Route* route = find_route(request)) {
    if (auto outcome = run_route(*route, request, options, out)) return std::move(*outcome);
  }
  const Resource resource = resource_at(request.path());
  if (!serves(resource, request.method)) {
    const std::string allowed = allowed_at(request.path());
    if (allowed.empty()) {
      return problem(request, 404, Rejection::not_found, "nothing here; streams are at /events",
                     out);
    }
    if (request.method != Method::options) {
      return problem(request, 405, Rejection::method, fmt::format("use {}", allowed), out,
                     fmt::format("Allow: {}\r\n", allowed));
    }
    preflight(request, allowed, out);
    return {};
  }
  switch (resource) {
    case Resource::events:
      return subscribe(request, options, out);
    case Resource::publish:
      return publish(request, options, received_us, out);
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
      reply(request, 200, "text/plain; version=0.0.4; charset=utf-8", metrics_page(), out);
      return {};
    case Resource::none:
      break;
  }
  return {};
}

// Made once a turn of the loop: it is 100 us of work, and who asks for many would hold up all.
const std::string& RequestHandler::metrics_page() {
  const std::uint64_t turn = metrics_.loops.get() + 1;
  if (page_turn_ != turn) page_ = render_metrics(state_);
  page_turn_ = turn;
  return page_;
}

const Route* RequestHandler::find_route(const Request& request) const {
  const std::vector<Route>& routes = state_.application.routes;
  if (routes.empty()) return nullptr;
  const Method method = request.method == Method::head ? Method::get : request.method;
  const auto it = std::ranges::find_if(routes, [&](const Route& route) {
    return route.method == method && route.path == request.path();
  });
  return it == routes.end() ? nullptr : &*it;
}

std::string RequestHandler::allowed_at(std::string_view path) const {
  const auto any = [&](Method method, Method routed) {
    return serves(resource_at(path), method) ||
           std::ranges::any_of(state_.application.routes, [&](const Route& route) {
             return route.method == routed && route.path == path;
           });
  };
  std::string allowed;
  if (any(Method::get, Method::get)) allowed += "GET, ";
  if (any(Method::head, Method::get)) allowed += "HEAD, ";
  if (any(Method::post, Method::post)) allowed += "POST, ";
  if (!allowed.empty()) allowed += "OPTIONS";
  return allowed;
}

void RequestHandler::on_bad_request(const proto::RequestParser& parser, std::string& out) {
  using Error = proto::RequestParser::Error;
  const Request& request = parser.request();
  switch (parser.error()) {
    case Error::head_too_large:
      refuse(request, 431, Rejection::head_too_large,
             fmt::format("the request head is limited to {} bytes", limits::kMaxRequestHead), out);
      return;
    case Error::body_too_large:
      refuse(request, 413, Rejection::body_too_large,
             fmt::format("a body is limited to {} bytes", limits::kMaxRequestBody), out);
      return;
    case Error::version:
      refuse(request, 505, Rejection::version, "HTTP/1.0 and HTTP/1.1 are spoken here", out);
      return;
    case Error::method:
      refuse(request, 501, Rejection::method, "this method is not known here", out);
      return;
    case Error::malformed:
    case Error::none:
      refuse(request, 400, Rejection::malformed,
             fmt::format("the request is not valid HTTP: {}", parser.reason()), out);
      return;
  }
}

void RequestHandler::refuse(const Request& request, int status, Rejection why,
                            std::string_view detail, std::string& out) {
  metrics_.count(why);
  proto::append_reply(out, {.status = status,
                            .content_type = kProblem,
                            .body = proto::problem_json(status, detail),
                            .date = date_.now(),
                            .cors = cors_.fields_for(request.header(Header::origin)),
                            .http_1_1 = request.http_1_1,
                            .keep_alive = false,
                            .head_only = request.method == Method::head});
}

void RequestHandler::unavailable(const Request& request, Rejection why, std::string& out) {
  metrics_.count(why);
  append_unavailable(request, why, out);
}

void RequestHandler::append_turned_away(Rejection why, std::string& out) {
  Request unread;
  unread.keep_alive = false;
  append_unavailable(unread, why, out);
}

void RequestHandler::append_unavailable(const Request& request, Rejection why, std::string& out) {
  reply(request, 503, kProblem, proto::problem_json(503, words_for(why)), out,
        fmt::format("Retry-After: {}\r\n", jittered(retry_after_s(why), random_)));
}

std::optional<proto::Query> RequestHandler::parse_query(const Request& request, std::string& out) {
  // An id comes in whatever encoding its client has.
  auto query = proto::Query::parse(request.query(), is_position);
  if (query) return *std::move(query);
  (void)problem(request, {.field = "query", .message = words_for(query.error())}, out);
  return std::nullopt;
}

std::optional<proto::Query> RequestHandler::own_query(const Request& request,
                                                      const ServerOptions& options,
                                                      std::string& out) {
  auto query = parse_query(request, out);
  if (!query) return query;
  const auto known = parameters_at(request.path());
  const auto unknown = unknown_parameter(*query, known, options.ignored_parameters);
  if (!unknown) return query;
  (void)problem(request, refuse_parameter(*unknown, known), out);
  return std::nullopt;
}

void RequestHandler::preflight(const Request& request, std::string_view allowed, std::string& out) {
  reply(request, 204, {}, {}, out,
        fmt::format("Allow: {0}\r\n"
                    "Access-Control-Allow-Methods: {0}\r\n"
                    "Access-Control-Allow-Headers: {1}\r\n"
                    "Access-Control-Max-Age: 86400\r\n"
                    "Vary: Access-Control-Request-Headers\r\n",
                    allowed,
                    allowed_headers(request.header(Header::access_control_request_headers))));
}

void RequestHandler::append_stream_head(const Request& request, const Outcome& stream,
                                        std::string& out) {
  proto::append_stream_head(out, stream.framing, date_.now(),
                            {cors_.fields_for(request.header(Header::origin)),
                             state_.application.stream_headers,
                             stream.route ? stream.route->headers : std::string_view{}});
}

void RequestHandler::reply(const Request& request, int status, std::string_view content_type,
                           std::string_view body, std::string& out,
                           std::string_view extra_headers) {
  proto::append_reply(out, {.status = status,
                            .content_type = content_type,
                            .body = body,
                            .date = date_.now(),
                            .cors = cors_.fields_for(request.header(Header::origin)),
                            .extra_headers = extra_headers,
                            .http_1_1 = request.http_1_1,
                            .keep_alive = request.keep_alive,
                            .head_only = request.method == Method::head});
}

Outcome RequestHandler::problem(const Request& request, int status, Rejection why,
                                std::string_view detail, std::string& out,
                                std::string_view extra_headers) {
  metrics_.count(why);
  reply(request, status, kProblem, proto::problem_json(status, detail), out, extra_headers);
  return {};
}

Outcome RequestHandler::problem(const Request& request, const proto::InputError& error,
                                std::string& out) {
  const Rejection why = error.too_large ? Rejection::body_too_large : Rejection::invalid;
  const int status = error.too_large ? 413 : 400;
  metrics_.count(why);
  reply(request, status, kProblem, proto::problem_json(status, error), out);
  return {};
}

}  // namespace tocsin::net
