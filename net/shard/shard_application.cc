// Streams as the application sees them: told of, written to, ended with their topic.
#include <utility>

#include "net/shard/shard.h"
#include "net/shard/stream_writer.h"

namespace tocsin::net {
namespace {

// Streams that one turn ends: each is a system call or two, and a client that comes back at once.
constexpr std::size_t kEndSlice = 256;

}  // namespace

// The stream's topics, and one of its own where somebody is to write to it.
std::optional<core::Subscription> Shard::subscribe(const Outcome& wanted) {
  const std::vector<std::string_view> names(wanted.topics.begin(), wanted.topics.end());
  const std::vector<std::string_view> ids(wanted.last_event_ids.begin(),
                                          wanted.last_event_ids.end());
  // Without either it reads a log that nothing is written to.
  const bool direct = wanted.route && (wanted.route->on_open || names.empty());
  return state_.hub.with([&](core::Hub& hub) {
    auto subscription = hub.subscribe(names, {.kind = wanted.resume, .ids = ids}, id_, now_ms_);
    if (subscription && direct) {
      subscription->topics.push_back(hub.subscribe_direct(id_, now_ms_));
    }
    return subscription;
  });
}

std::uint64_t Shard::stream_id(std::uint32_t slot) const {
  return std::uint64_t{id_} << 56 | std::uint64_t{table_[slot].generation} << 32 | slot;
}

void Shard::tell_opened(std::uint32_t slot, Connection& connection, const Outcome& wanted,
                        const core::Subscription& subscription) {
  const Application& application = state_.application;
  if (application.on_subscribe) {
    const std::vector<std::string_view> names(wanted.topics.begin(), wanted.topics.end());
    application.on_subscribe(*state_.server, {.id = stream_id(slot), .topics = names});
  }
  if (!wanted.route || (!wanted.route->on_open && !wanted.route->on_close)) return;
  RoutedStream& routed = routed_[slot];
  connection.routed = true;
  routed.on_close = std::move(wanted.route->on_close);
  if (!wanted.route->on_open) return;
  routed.target = std::make_shared<StreamWriter::Target>();
  routed.target->state = state_.shared_from_this();
  routed.target->topic = subscription.topics.back().topic->name;
  wanted.route->on_open(StreamWriter(routed.target));
}

void Shard::tell_closed(std::uint32_t slot, Connection& connection) {
  if (connection.routed) {
    connection.routed = false;
    const RoutedStream routed = std::move(routed_.extract(slot).mapped());
    if (routed.target) routed.target->closed = true;
    if (routed.on_close) routed.on_close();
  }
  if (!state_.application.on_unsubscribe) return;
  std::vector<std::string_view> names;
  for (const core::TopicCursor& at : topic_cursors(connection)) {
    if (!at.topic->is_direct()) names.emplace_back(at.topic->name);
  }
  state_.application.on_unsubscribe(*state_.server, {.id = stream_id(slot), .topics = names});
}

// --- topics that were removed ---

// The sweep that brought their last events is over.
void Shard::end_removed() {
  for (const std::uint32_t local : sweep_.topics) {
    if (topics_[local].ending) ending_.push_back(local);
  }
}

// Not all in one turn: a topic may have very many.
void Shard::end_slice() {
  std::size_t ended = 0;
  while (!ending_.empty()) {
    const std::uint32_t local = ending_.back();
    const std::vector<std::uint32_t>& subscribers = topics_[local].subscribers;
    for (; !subscribers.empty(); ++ended) {
      if (ended == kEndSlice) return;
      const std::uint32_t slot = subscribers.back();
      Connection& connection = table_[slot];
      if (connection.blocked) {  // it has not got all that was published before
        terminate(slot, connection, true);
      } else {
        end_stream(slot, connection);
      }
    }
    ending_.pop_back();
    topics_[local].ending = false;
    drop_topic(local);
  }
}

}  // namespace tocsin::net
