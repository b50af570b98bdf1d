#include "net/shard/routed_streams.h"

#include <string_view>
#include <utility>
#include <vector>

#include "net/state/stream_inquiry.h"

namespace tocsin::net {

std::uint64_t RoutedStreams::stream_id(std::uint32_t slot) const {
  const StreamId id{
      .shard = shard_.id, .slot = slot, .generation = shard_.table[slot].peer.generation};
  return id.pack();
}

void RoutedStreams::tell_opened(std::uint32_t slot, Stream& stream, const Outcome& wanted,
                                const core::Subscription& subscription) {
  const Application& application = shard_.state.application;
  if (application.on_subscribe) {
    const std::vector<std::string_view> names(wanted.topics.begin(), wanted.topics.end());
    application.on_subscribe(*shard_.state.server, {.id = stream_id(slot), .topics = names});
  }
  if (!wanted.route || (!wanted.route->on_open && !wanted.route->on_close)) return;
  Routed& routed = routed_[slot];
  stream.routed = true;
  routed.on_close = std::move(wanted.route->on_close);
  if (!wanted.route->on_open) return;
  routed.target = std::make_shared<StreamWriter::Target>();
  routed.target->state = shard_.state.shared_from_this();
  routed.target->topic = subscription.topics.back().topic->name;
  wanted.route->on_open(StreamWriter(routed.target));
}

void RoutedStreams::tell_closed(std::uint32_t slot, Stream& stream) {
  if (stream.routed) {
    stream.routed = false;
    const Routed routed = std::move(routed_.extract(slot).mapped());
    if (routed.target) routed.target->closed = true;
    if (routed.on_close) routed.on_close();
  }
  const Application& application = shard_.state.application;
  if (!application.on_unsubscribe) return;
  std::vector<std::string_view> names;
  for (const core::TopicCursor& at : shard_.topics.cursors(stream)) {
    if (!at.topic->is_direct()) names.emplace_back(at.topic->name);
  }
  application.on_unsubscribe(*shard_.state.server, {.id = stream_id(slot), .topics = names});
}

}  // namespace tocsin::net
