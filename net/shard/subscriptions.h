// Which streams read which of the shard's topics: joining, leaving, and topics that nobody reads
// any more.
//
// Threads: the shard's.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "core/hub.h"
#include "net/shard/outbox.h"
#include "net/shard/shard_context.h"

namespace tocsin::net {

class Subscriptions {
 public:
  // All outlive it.
  Subscriptions(ShardContext& shard, Outbox& outbox) : shard_(shard), outbox_(outbox) {}

  void join(std::uint32_t slot, Connection& connection, const core::Subscription& subscription);
  // Of all of its topics. The last subscriber of each takes the place of the one that leaves:
  // `moved(slot, topic)`, both the shard's numbers, if that is another.
  template <typename Moved>
  void leave(std::uint32_t slot, Connection& connection, Moved&& moved) {
    if (!connection.many_topics()) {
      leave_one(slot, {.topic = connection.topic, .place = connection.place}, moved);
      return;
    }
    const std::vector<TopicPlace> places = std::move(connection.extra().places);
    for (const TopicPlace& at : places) leave_one(slot, at, moved);
  }
  // The shard's part in the topic ends, unless somebody reads it, or it is being swept or ended.
  void drop_if_unread(std::uint32_t topic);

 private:
  template <typename Moved>
  void leave_one(std::uint32_t slot, TopicPlace at, Moved&& moved) {
    const std::uint32_t other = take_out(slot, at);
    if (other != slot) moved(other, at.topic);
    drop_if_unread(at.topic);
  }
  // Who has the place now; `slot`: nobody.
  std::uint32_t take_out(std::uint32_t slot, TopicPlace at);

  ShardContext& shard_;
  Outbox& outbox_;
};

}  // namespace tocsin::net
