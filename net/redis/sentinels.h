// Sentinels: servers that watch a Redis master and its replicas, promote one of these when the
// master is gone, and say which one is the master now
// (https://redis.io/docs/latest/develop/reference/sentinel-clients/).
//
// All of them are asked, and the newest configuration counts: a Sentinel that is cut off from the
// others may name a master of long ago.
//
// Not thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "net/redis/redis_link.h"
#include "net/redis/redis_url.h"

namespace tocsin::net {

class Sentinels {
 public:
  struct Named {
    RedisUrl::Server master;
    std::uint64_t configuration = 0;  // rises with each fail-over
    std::uint64_t others = 0;         // Sentinels that this one knows
  };
  using Answer = std::expected<Named, RedisFault>;

  // `url` names them, and outlives it; RedisUrl::master says whom they are asked for.
  Sentinels(const RedisUrl& url, RedisTrust tls);

  // By the newest configuration. Blocks until all have answered, each for an equal part of what is
  // left until the deadline. The error: none of them knows.
  [[nodiscard]] Answer ask(Waiter& waiter, TimePoint deadline);
  // One of them, by its place in the URL.
  [[nodiscard]] Answer ask_one(std::size_t index, Waiter& waiter, TimePoint deadline);
  // Whether enough of them agree that it can promote another; in its words, if not.
  [[nodiscard]] std::expected<void, RedisFault> check_quorum(std::size_t index, Waiter& waiter,
                                                             TimePoint deadline);

 private:
  using Reply = std::expected<const RespValue*, RedisFault>;
  [[nodiscard]] Reply ask_for(std::size_t index, std::string_view what, Waiter& waiter,
                              TimePoint deadline);

  const RedisUrl& url_;
  const RedisTrust tls_;
  std::vector<std::optional<RedisLink>> links_;  // in the URL's order
};

}  // namespace tocsin::net
