// Routes of the application: from a request to what it answers.
#include <algorithm>
#include <exception>
#include <utility>

#include "net/http/query_parameters.h"
#include "net/http/request_handler.h"
#include "net/log.h"
#include "proto/ascii.h"
#include "proto/wire_id.h"

namespace tocsin::net {
namespace {

// What keeps an answer from being sent as it is; empty: nothing does. A wrong head would be read as
// another answer, or as the beginning of the next one.
std::string_view fault_of(const Response& response) {
  if (response.status < 200 || response.status > 599) return "the answer has a bad status";
  if (!proto::is_field_value(response.content_type)) return "the answer has a bad content type";
  if (response.content_type.empty() && !response.body.empty())
    return "the answer has a body without a content type";
  if (!proto::are_extra_headers(response.headers)) return "the answer has bad header lines";
  return {};
}

std::string_view fault_of(const StreamResponse& response) {
  const bool topics = response.topics.size() <= limits::kMaxTopicsPerSubscriber &&
                      std::ranges::all_of(response.topics, proto::is_topic_name);
  if (!topics) return "the answer has topics that cannot be";
  if (!proto::are_extra_headers(response.headers)) return "the answer has bad header lines";
  return {};
}

}  // namespace

Outcome RequestHandler::failed(const Route& route, const proto::Request& request,
                               std::string_view why, std::string& out) {
  log::error("a route failed", {{"path", route.path}, {"error", why}});
  return problem(request, 500, Rejection::failed, "the application could not answer", out);
}

std::optional<Outcome> RequestHandler::run_route(const Route& route, const proto::Request& request,
                                                 const ServerOptions& options, std::string& out) {
  const auto query = parse_query(request, out);
  if (!query) return Outcome{};
  std::vector<std::string> positions = positions_of(request, *query);
  const std::string last_event_id =
      positions.empty() ? std::string{} : proto::meant_id(positions.back());
  const auto unknown =
      unknown_parameter(*query, parameters_at(request.path()), options.ignored_parameters);
  Answer answer = Declined{};
  try {
    answer =
        route.handle(*state_.server, {.http = request,
                                      .query = *query,
                                      .last_event_id = last_event_id,
                                      .unknown_parameter = unknown.value_or(std::string_view{})});
  } catch (const std::exception& error) {
    return failed(route, request, error.what(), out);
  } catch (...) {
    return failed(route, request, "an exception of an unknown type", out);
  }
  if (std::holds_alternative<Declined>(answer)) return std::nullopt;
  if (auto* wanted = std::get_if<StreamResponse>(&answer)) {
    if (const auto fault = fault_of(*wanted); !fault.empty()) {
      return failed(route, request, fault, out);
    }
    return stream_of(std::move(*wanted), request, *query, std::move(positions), out);
  }
  const Response& response = std::get<Response>(answer);
  if (const auto fault = fault_of(response); !fault.empty()) {
    return failed(route, request, fault, out);
  }
  reply(request, response.status, response.content_type, response.body, out, response.headers);
  return Outcome{};
}

Outcome RequestHandler::stream_of(StreamResponse&& wanted, const proto::Request& request,
                                  const proto::Query& query, std::vector<std::string>&& positions,
                                  std::string& out) {
  Outcome outcome{.kind = Outcome::Kind::stream, .topics = std::move(wanted.topics)};
  if (const auto error = read_wishes(query, outcome)) return problem(request, *error, out);
  // A stream of its handler's own has no position in the hub.
  if (wanted.resume && !outcome.topics.empty()) outcome.last_event_ids = std::move(positions);
  outcome.route = std::make_unique<StreamResponse>(std::move(wanted));
  return open(request, std::move(outcome), out);
}

}  // namespace tocsin::net
