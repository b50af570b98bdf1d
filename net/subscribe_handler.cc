// GET /events?stream=a&stream=b: which topics, and from where.
#include <fmt/format.h>

#include "net/request_handler.h"

namespace tocsin::net {
namespace {

// Repeated `stream=`, and `topic=`, its other name; none: the default topic.
std::vector<std::string> topics_of(const proto::Query& query) {
  std::vector<std::string> topics;
  for (const auto& [name, value] : query.pairs()) {
    if (name == "stream" || name == "topic") topics.push_back(value);
  }
  if (topics.empty()) topics.emplace_back(proto::kDefaultTopic);
  return topics;
}

}  // namespace

std::string last_event_id_of(const proto::Request& request, const proto::Query& query) {
  const std::string_view header = request.header(proto::Header::last_event_id);
  if (!header.empty()) return std::string{header};
  for (const std::string_view name : {"last_event_id", "lastEventID", "lastEventId"}) {
    const auto value = query.first(name).value_or(std::string_view{});
    if (!value.empty()) return std::string{value};
  }
  return {};
}

Outcome RequestHandler::subscribe(const proto::Request& request, std::string& out) {
  const auto query = parse_query(request, out);
  if (!query) return {};
  Outcome outcome{.kind = Outcome::Kind::stream, .topics = topics_of(*query), .last_event_id = {}};
  if (outcome.topics.size() > limits::kMaxTopicsPerSubscriber) {
    return problem(request,
                   {.field = "topic",
                    .message = fmt::format("at most {} of them", limits::kMaxTopicsPerSubscriber)},
                   out);
  }
  for (const std::string& topic : outcome.topics) {
    if (!proto::is_topic_name(topic)) {
      return problem(request,
                     {.field = "topic",
                      .message = fmt::format("must be 1 to {} bytes without control characters",
                                             limits::kMaxTopicName)},
                     out);
    }
  }
  outcome.last_event_id = last_event_id_of(request, *query);
  return open(request, std::move(outcome), out);
}

// Topics and position are known; HEAD ends here.
Outcome RequestHandler::open(const proto::Request& request, Outcome&& outcome, std::string& out) {
  if (outcome.last_event_id == "earliest") {
    outcome.resume = core::Resume::Kind::earliest;
  } else if (!outcome.last_event_id.empty()) {
    outcome.resume = core::Resume::Kind::after_id;
  }
  if (request.method == proto::Method::head) {
    append_stream_head(outcome, out);
    return {.kind = Outcome::Kind::refused, .topics = {}, .last_event_id = {}};
  }
  return std::move(outcome);
}

}  // namespace tocsin::net
