// Tells who has come to topics and who has gone: what net/state/presence.h has of it becomes
// events, once a second. One shard does it for all.
//
// Threads: the shard's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "net/shard/shard_context.h"
#include "net/state/event_publisher.h"
#include "net/state/presence.h"

namespace tocsin::net {

class PresenceNews {
 public:
  // `shard` outlives it.
  explicit PresenceNews(ShardContext& shard) : shard_(shard) {}

  // Publishes what there is, if a second has passed.
  void run();

 private:
  enum class Sent : std::uint8_t { yes, later, never };
  [[nodiscard]] Sent publish(const Presence::News& news);

  ShardContext& shard_;
  EventPublisher publisher_;
  std::uint64_t due_ms_ = 0;
  std::vector<Presence::News> unsent_;  // at most limits::kMaxPresenceTopics
};

}  // namespace tocsin::net
