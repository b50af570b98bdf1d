#include "net/http/route_handler.h"

#include <algorithm>
#include <exception>
#include <memory>
#include <utility>
#include <variant>

#include "net/http/query_parameters.h"
#include "net/http/stream_request.h"
#include "net/log.h"
#include "proto/http/http_response.h"
#include "proto/limits.h"
#include "proto/sse/event.h"
#include "proto/sse/wire_id.h"
#include "proto/text/ascii.h"

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

std::optional<Outcome> RouteHandler::handle(const RequestContext& context) {
  const auto query = parse_query(context.request);
  if (!query) return answers_.problem(context.request, query.error(), context.out);
  std::vector<std::string> positions = positions_of(context.request, *query);
  const std::string last_event_id =
      positions.empty() ? std::string{} : proto::meant_id(positions.back());
  std::optional<std::string_view> unknown;
  if (const Endpoint* own = table_.with_parameters_at(context.request.path())) {
    unknown = unknown_parameter(*query, *own, context);
  }
  const Deferral deferral{.state = state_, .ticket = context.ticket};
  Answer answer = Declined{};
  try {
    answer =
        route_.handle(*state_.server, {.http = context.request,
                                       .query = *query,
                                       .last_event_id = last_event_id,
                                       .unknown_parameter = unknown.value_or(std::string_view{}),
                                       .principal = context.principal.get(),
                                       .deferral = deferral});
  } catch (const std::exception& error) {
    return failed(context.request, error.what(), context.out);
  } catch (...) {
    return failed(context.request, "an exception of an unknown type", context.out);
  }
  if (std::holds_alternative<Declined>(answer)) return std::nullopt;
  if (auto* wanted = std::get_if<StreamResponse>(&answer)) {
    if (const auto fault = fault_of(*wanted); !fault.empty()) {
      return failed(context.request, fault, context.out);
    }
    return stream_of(std::move(*wanted), context, *query, std::move(positions));
  }
  if (std::holds_alternative<Later>(answer)) {
    return Outcome{
        .kind = Outcome::Kind::pending,
        .finish = [this](const proto::Request& request, Letter&& letter, std::string& out) {
          if (const auto* response = std::get_if<Response>(&letter.value)) {
            respond(request, *response, out);
          } else {
            (void)failed(request, "its Later went without an answer", out);
          }
        }};
  }
  respond(context.request, std::get<Response>(answer), context.out);
  return Outcome{};
}

void RouteHandler::respond(const proto::Request& request, const Response& response,
                           std::string& out) {
  if (const auto fault = fault_of(response); !fault.empty()) {
    (void)failed(request, fault, out);
    return;
  }
  answers_.reply(request, response.status, response.content_type, response.body, out,
                 response.headers);
}

Outcome RouteHandler::stream_of(StreamResponse&& wanted, const RequestContext& context,
                                const proto::Query& query, std::vector<std::string>&& positions) {
  Outcome outcome{.kind = Outcome::Kind::stream, .topics = std::move(wanted.topics)};
  if (const auto error = read_wishes(query, outcome)) {
    return answers_.problem(context.request, *error, context.out);
  }
  // A stream of its handler's own has no position in the hub.
  if (wanted.resume && !outcome.topics.empty()) outcome.last_event_ids = std::move(positions);
  outcome.route = std::make_unique<StreamResponse>(std::move(wanted));
  return open_stream(std::move(outcome), context, answers_);
}

Outcome RouteHandler::failed(const proto::Request& request, std::string_view why,
                             std::string& out) {
  log::error("a route failed", {{"path", route_.path}, {"error", why}});
  return answers_.problem(request, 500, Rejection::failed, "the application could not answer", out);
}

}  // namespace tocsin::net
