#include "net/http/subscribe_handler.h"

#include <expected>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "net/http/query_parameters.h"
#include "net/http/stream_request.h"
#include "proto/limits.h"
#include "proto/sse/event.h"

namespace tocsin::net {
namespace {

// Repeated `stream=`, and `topic=`, its other name; none: the default topic.
std::expected<std::vector<std::string>, proto::InputError> topics_of(const proto::Query& query) {
  std::vector<std::string> topics;
  for (const auto& [name, value] : query.pairs()) {
    if (name != "stream" && name != "topic") continue;
    const auto refuse = [&name](std::string message) {
      return std::unexpected(
          proto::InputError{.field = std::string(name), .message = std::move(message)});
    };
    if (value.empty()) return refuse("is empty");
    if (!proto::is_topic_name(value)) {
      return refuse(
          fmt::format("must be 1 to {} bytes without control characters", limits::kMaxTopicName));
    }
    if (topics.size() == limits::kMaxTopicsPerSubscriber) {
      return refuse(fmt::format("at most {} of them", limits::kMaxTopicsPerSubscriber));
    }
    topics.emplace_back(value);
  }
  if (topics.empty()) topics.emplace_back(proto::kDefaultTopic);
  return topics;
}

}  // namespace

std::optional<Outcome> SubscribeHandler::handle(const RequestContext& context) {
  const auto query = known_query(context);
  if (!query) return answers_.problem(context.request, query.error(), context.out);
  auto topics = topics_of(*query);
  if (!topics) return answers_.problem(context.request, topics.error(), context.out);
  const std::uint32_t most = context.options.max_topics_per_stream;
  if (topics->size() > most && !is_no_stranger(context.principal.get())) {
    return answers_.too_many_topics(context.request, most, context.out);
  }
  Outcome wanted{.kind = Outcome::Kind::stream,
                 .topics = *std::move(topics),
                 .last_event_ids = positions_of(context.request, *query)};
  if (const auto error = read_wishes(*query, wanted)) {
    return answers_.problem(context.request, *error, context.out);
  }
  std::size_t steps = 0;
  for (const std::string& topic : wanted.topics) {
    if (const auto denial = deny(context, Right::subscribe, topic, steps)) {
      hub_.with([&](core::Hub& hub) { hub.count_refusal(topic); });
      return answers_.deny(context.request, *denial, context.out);
    }
  }
  return open_stream(std::move(wanted), context, answers_);
}

}  // namespace tocsin::net
