// What a Redis or Valkey server is asked before somebody relies on it.
#pragma once

#include <expected>
#include <string>
#include <vector>

#include "net/redis/redis_options.h"

namespace tocsin::net {

// What is too weak for a history in it, each a sentence for the operator; nothing: all is well. The
// error: it cannot be asked, or serves for none. Blocks for RedisOptions::connect_ms.
[[nodiscard]] std::expected<std::vector<std::string>, std::string> check_redis(
    const RedisOptions& options);

}  // namespace tocsin::net
