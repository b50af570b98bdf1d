#include "net/shard/subscriptions.h"

#include <algorithm>

#include "proto/assert.h"

namespace tocsin::net {

void Subscriptions::join(std::uint32_t slot, Connection& connection,
                         const core::Subscription& subscription) {
  const auto join_one = [&](core::Topic* topic) {
    const std::uint32_t local = shard_.topics.find_or_add(topic);
    auto& subscribers = shard_.topics[local].subscribers;
    subscribers.push_back(slot);
    return TopicPlace{local, static_cast<std::uint32_t>(subscribers.size() - 1)};
  };
  if (subscription.topics.size() == 1) {
    const TopicPlace at = join_one(subscription.topics.front().topic);
    connection.topic = at.topic;
    connection.place = at.place;
    return;
  }
  connection.topic = Connection::kManyTopics;
  Attachment& extra = connection.attach();
  for (const core::TopicCursor& at : subscription.topics) {
    extra.places.push_back(join_one(at.topic));
  }
  extra.topics = subscription.topics;
}

std::uint32_t Subscriptions::take_out(std::uint32_t slot, TopicPlace at) {
  auto& subscribers = shard_.topics[at.topic].subscribers;
  TOCSIN_ASSERT(subscribers[at.place] == slot);
  const std::uint32_t moved = subscribers.back();
  subscribers[at.place] = moved;
  subscribers.pop_back();
  if (moved == slot) return slot;
  Connection& other = shard_.table[moved];
  if (!other.many_topics()) {
    other.place = at.place;
    return moved;
  }
  auto& places = other.extra().places;
  std::ranges::find(places, at.topic, &TopicPlace::topic)->place = at.place;
  return moved;
}

void Subscriptions::drop_if_unread(std::uint32_t topic) {
  const LocalTopic& local = shard_.topics[topic];
  if (!local.subscribers.empty() || local.sweeping || local.ending) return;
  outbox_.forget(*local.topic);
  shard_.state.hub.with([&](core::Hub& hub) { hub.leave(*local.topic, shard_.id, shard_.now_ms); });
  shard_.topics.remove(topic);
}

}  // namespace tocsin::net
