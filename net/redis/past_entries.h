// Reads what is older than a hub's memory out of the stream, by a connection of its own: what
// others read and write goes on meanwhile.
//
// Not thread-safe.
#pragma once

#include <expected>
#include <optional>

#include "core/store.h"
#include "net/redis/redis_link.h"
#include "net/redis/redis_options.h"
#include "net/redis/stored_history.h"
#include "net/store/past_batches.h"

namespace tocsin::net {

class PastEntries {
 public:
  // All outlive it.
  PastEntries(const RedisOptions& options, const RedisTrust& trust, const StoredKeys& keys)
      : options_(options), trust_(trust), keys_(keys) {}

  // As core::Store::read(). Waits for RedisOptions::connect_ms and answer_ms at most. An entry that
  // is damaged is as one that is gone.
  [[nodiscard]] std::optional<core::Sequence> read(core::Sequence after, core::Sequence until,
                                                   const core::Store::TakeEvent& take);

 private:
  using Result = std::expected<void, RedisFault>;
  [[nodiscard]] Result read_entries(PastRead& read);
  [[nodiscard]] std::expected<StoredHead, RedisFault> ask_head(TimePoint deadline);

  const RedisOptions& options_;
  const RedisTrust& trust_;
  const StoredKeys& keys_;
  std::optional<RedisLink> link_{};
  PastBatches batches_{};
};

}  // namespace tocsin::net
