// GET /events?stream=a&stream=b: which topics, and from where.
#include <expected>
#include <utility>

#include <fmt/format.h>

#include "net/http/option_value.h"
#include "net/http/query_parameters.h"
#include "net/http/request_handler.h"

namespace tocsin::net {
namespace {

// Repeated `stream=`, and `topic=`, its other name; none: the default topic.
std::expected<std::vector<std::string>, proto::InputError> topics_of(const proto::Query& query) {
  std::vector<std::string> topics;
  for (const auto& [name, value] : query.pairs()) {
    if (name != "stream" && name != "topic") continue;
    const auto refuse = [&name](std::string message) {
      return std::unexpected(proto::InputError{.field = name, .message = std::move(message)});
    };
    if (value.empty()) return refuse("is empty");
    if (!proto::is_topic_name(value)) {
      return refuse(
          fmt::format("must be 1 to {} bytes without control characters", limits::kMaxTopicName));
    }
    if (topics.size() == limits::kMaxTopicsPerSubscriber) {
      return refuse(fmt::format("at most {} of them", limits::kMaxTopicsPerSubscriber));
    }
    topics.push_back(value);
  }
  if (topics.empty()) topics.emplace_back(proto::kDefaultTopic);
  return topics;
}

// The value of a parameter that is given once; nothing: it is not given.
std::expected<std::optional<std::string_view>, proto::InputError> once(const proto::Query& query,
                                                                       std::string_view name) {
  const std::vector<std::string_view> given = query.all(name);
  if (given.size() > 1) return std::unexpected(proto::given_twice(name, name));
  return given.empty() ? std::nullopt : std::optional{given.front()};
}

}  // namespace

std::optional<proto::InputError> read_wishes(const proto::Query& query, Outcome& wanted) {
  const auto hello = once(query, "hello");
  if (!hello) return hello.error();
  if (*hello) {
    wanted.hello = **hello == "1" || **hello == "true";
    if (!wanted.hello && **hello != "0" && **hello != "false") {
      return proto::InputError{.field = "hello", .message = "must be 1 or 0"};
    }
  }
  const auto heartbeat = once(query, "heartbeat");
  if (!heartbeat) return heartbeat.error();
  if (*heartbeat) {
    const auto ms = parse_duration_ms(**heartbeat);
    if (!ms || *ms % 1000 != 0 || *ms < limits::kMinHeartbeatS * 1000 ||
        *ms > limits::kMaxHeartbeatS * 1000) {
      return proto::InputError{
          .field = "heartbeat",
          .message = fmt::format("must be whole seconds from {}s to {}s", limits::kMinHeartbeatS,
                                 limits::kMaxHeartbeatS)};
    }
    wanted.heartbeat_s = static_cast<std::uint8_t>(*ms / 1000);
  }
  const auto framing = once(query, "framing");
  if (!framing) return framing.error();
  if (*framing) {
    if (**framing != "chunked" && **framing != "close") {
      return proto::InputError{.field = "framing", .message = "must be chunked or close"};
    }
    wanted.framing = **framing == "close" ? proto::Framing::close : proto::Framing::chunked;
  }
  return std::nullopt;
}

std::vector<std::string> positions_of(const proto::Request& request, const proto::Query& query) {
  const std::string_view header = request.header(proto::Header::last_event_id);
  if (!header.empty()) return {std::string{header}};
  std::vector<std::string> positions;
  for (const auto& [name, value] : query.pairs()) {
    if (is_position(name) && !value.empty()) positions.push_back(value);
  }
  // A client that has been here and was told no position that it remembers.
  if (positions.empty() && request.has(proto::Header::last_event_id)) positions.emplace_back();
  if (positions.size() > limits::kMaxPositions) {
    positions.erase(positions.begin(), positions.end() - limits::kMaxPositions);
  }
  return positions;
}

Outcome RequestHandler::subscribe(const proto::Request& request, const ServerOptions& options,
                                  std::string& out) {
  const auto query = own_query(request, options, out);
  if (!query) return {};
  auto topics = topics_of(*query);
  if (!topics) return problem(request, topics.error(), out);
  Outcome wanted{.kind = Outcome::Kind::stream,
                 .topics = *std::move(topics),
                 .last_event_ids = positions_of(request, *query)};
  if (const auto error = read_wishes(*query, wanted)) return problem(request, *error, out);
  return open(request, std::move(wanted), out);
}

// Topics and position are known; HEAD ends here.
Outcome RequestHandler::open(const proto::Request& request, Outcome&& outcome, std::string& out) {
  if (!outcome.last_event_ids.empty()) {
    // Beside a position it is what the page was opened with.
    std::erase(outcome.last_event_ids, "earliest");
    outcome.resume = outcome.last_event_ids.empty() ? core::Resume::Kind::earliest
                                                    : core::Resume::Kind::after_id;
  }
  // That version knows no chunks. It may be a proxy's, and its client's wish of another.
  if (!request.http_1_1) outcome.framing = proto::Framing::close;
  // It keeps what came with the head until more comes.
  outcome.second_write = request.has(proto::Header::x_varnish);
  if (request.method == proto::Method::head) {
    append_stream_head(request, outcome, out);
    return {.kind = Outcome::Kind::refused};
  }
  return std::move(outcome);
}

}  // namespace tocsin::net
