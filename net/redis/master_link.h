// Which of the servers that a RedisUrl names has the history: of several hosts the first that is a
// master; where they are Sentinels, whom these name; in a Redis Cluster, the node that has the
// history's slot, whichever is asked (MOVED).
#pragma once

#include <cstdint>
#include <expected>
#include <memory>

#include "net/redis/redis_link.h"
#include "net/redis/redis_url.h"

namespace tocsin::net {

struct MasterLink {
  RedisLink link;
  std::uint64_t configuration = 0;  // by which Sentinels named it
};

// A connection to it: authenticated, and it is a master. Blocks until it is, or `waiter` says that
// the time is over. `tls`: null: plain.
[[nodiscard]] std::expected<MasterLink, RedisFault> open_master(const RedisUrl& url,
                                                                const RedisTrust& tls,
                                                                Waiter& waiter, TimePoint deadline);
// The same, to this very server. The error, too, if it is not the one any more.
[[nodiscard]] std::expected<RedisLink, RedisFault> open_again(const RedisUrl& url,
                                                              const RedisUrl::Server& server,
                                                              const RedisTrust& tls,
                                                              Waiter& waiter, TimePoint deadline);

}  // namespace tocsin::net
