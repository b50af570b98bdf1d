// Routes of the application: from a request to what it answers.
#include <exception>
#include <utility>

#include <fmt/format.h>

#include "net/log.h"
#include "net/request_handler.h"

namespace tocsin::net {
namespace {

constexpr std::string_view kFailed = "the application could not answer";

}  // namespace

std::optional<Outcome> RequestHandler::run_route(const Route& route, const proto::Request& request,
                                                 std::string& out) {
  const auto query = parse_query(request, out);
  if (!query) return Outcome{};
  std::string last_event_id = last_event_id_of(request, *query);
  Answer answer = Declined{};
  try {
    answer = route.handle(*state_.server,
                          {.http = request, .query = *query, .last_event_id = last_event_id});
  } catch (const std::exception& error) {
    log::error("a route failed", {{"path", route.path}, {"error", error.what()}});
    return problem(request, 500, Rejection::failed, kFailed, out);
  }
  if (std::holds_alternative<Declined>(answer)) return std::nullopt;
  if (auto* wanted = std::get_if<StreamResponse>(&answer)) {
    return stream_of(std::move(*wanted), request, std::move(last_event_id), out);
  }
  const Response& response = std::get<Response>(answer);
  reply(request, response.status, response.content_type, response.body, out, response.headers);
  return Outcome{};
}

std::optional<Outcome> RequestHandler::stream_of(StreamResponse&& wanted,
                                                 const proto::Request& request,
                                                 std::string&& last_event_id, std::string& out) {
  const bool named = std::ranges::all_of(wanted.topics, proto::is_topic_name);
  if (!named || wanted.topics.size() > limits::kMaxTopicsPerSubscriber) {
    log::error("a route names topics that cannot be", {{"path", std::string{request.path()}}});
    return problem(request, 500, Rejection::failed, kFailed, out);
  }
  Outcome outcome{
      .kind = Outcome::Kind::stream, .topics = std::move(wanted.topics), .last_event_id = {}};
  // A stream of its handler's own has no position in the hub.
  if (wanted.resume && !outcome.topics.empty()) outcome.last_event_id = std::move(last_event_id);
  outcome.route = std::make_unique<StreamResponse>(std::move(wanted));
  return open(request, std::move(outcome), out);
}

}  // namespace tocsin::net
