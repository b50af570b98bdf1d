// How streams leave their topics, and what becomes of a topic that nobody reads any more.
//
// Threads: the shard's.
#pragma once

#include <cstdint>

#include "core/hub.h"
#include "net/shard/outbox.h"
#include "net/shard/shard_context.h"

namespace tocsin::net {

class Subscriptions {
 public:
  // All outlive it.
  Subscriptions(ShardContext& shard, Outbox& outbox) : shard_(shard), outbox_(outbox) {}

  // The stream leaves all of its topics. `moved(slot, topic)`, both the shard's numbers, for each
  // that has another place in a topic from now on.
  template <typename Moved>
  void leave(std::uint32_t slot, Stream& stream, Moved&& moved) {
    shard_.state.hub.with(
        [&](core::Hub& hub) { hub.drop_reader(shard_.topics.cursors(stream)); });
    shard_.topics.leave(slot, stream, [&](std::uint32_t topic, std::uint32_t other) {
      if (other != slot) moved(other, topic);
      drop_if_unread(topic);
    });
  }
  // The shard's part in the topic ends, unless somebody reads it, or it is being swept or ended.
  void drop_if_unread(std::uint32_t topic) {
    const LocalTopic& local = shard_.topics[topic];
    if (!local.subscribers.empty() || local.sweeping || local.ending) return;
    outbox_.forget(*local.topic);
    shard_.state.hub.with(
        [&](core::Hub& hub) { hub.leave(*local.topic, shard_.id, shard_.now_ms); });
    shard_.topics.remove(topic);
  }

 private:
  ShardContext& shard_;
  Outbox& outbox_;
};

}  // namespace tocsin::net
