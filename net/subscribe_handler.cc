// GET /events?stream=a&stream=b: which topics, and from where.
#include <fmt/format.h>

#include "net/request_handler.h"
#include "proto/ascii.h"

namespace tocsin::net {
namespace {

// The names that clients and polyfills have for the position differ in case, '-' and '_' only, but
// for one with a prefix.
bool is_position(std::string_view name) {
  constexpr std::string_view kName = "lasteventid";
  constexpr std::string_view kPrefix = "evs_";  // github.com/amvtek/EventSource
  if (name.starts_with(kPrefix)) name.remove_prefix(kPrefix.size());
  std::size_t matched = 0;
  for (const char c : name) {
    if (c == '-' || c == '_') continue;
    if (matched == kName.size() || proto::to_lower(c) != kName[matched++]) return false;
  }
  return matched == kName.size();
}

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

std::vector<std::string> positions_of(const proto::Request& request, const proto::Query& query) {
  const std::string_view header = request.header(proto::Header::last_event_id);
  if (!header.empty()) return {std::string{header}};
  std::vector<std::string> positions;
  for (const auto& [name, value] : query.pairs()) {
    if (is_position(name) && !value.empty()) positions.push_back(value);
  }
  if (positions.size() > limits::kMaxPositions) {
    positions.erase(positions.begin(), positions.end() - limits::kMaxPositions);
  }
  return positions;
}

Outcome RequestHandler::subscribe(const proto::Request& request, std::string& out) {
  const auto query = parse_query(request, out);
  if (!query) return {};
  Outcome outcome{.kind = Outcome::Kind::stream, .topics = topics_of(*query)};
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
  outcome.last_event_ids = positions_of(request, *query);
  return open(request, std::move(outcome), out);
}

// Topics and position are known; HEAD ends here.
Outcome RequestHandler::open(const proto::Request& request, Outcome&& outcome, std::string& out) {
  if (!outcome.last_event_ids.empty()) {
    // Beside a position it is what the page was opened with.
    std::erase(outcome.last_event_ids, "earliest");
    outcome.resume = outcome.last_event_ids.empty() ? core::Resume::Kind::earliest
                                                    : core::Resume::Kind::after_id;
  }
  if (request.method == proto::Method::head) {
    append_stream_head(outcome, out);
    return {.kind = Outcome::Kind::refused};
  }
  return std::move(outcome);
}

}  // namespace tocsin::net
