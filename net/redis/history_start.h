// How a hub that starts or comes back finds the history in the server: how far it goes, and from
// where on its entries can be read.
#pragma once

#include <cstdint>
#include <expected>

#include "core/batch.h"
#include "net/redis/redis_link.h"
#include "net/redis/stored_history.h"

namespace tocsin::net {

// The history as it is there; it is begun, or goes on in a new epoch, where that has to be.
// `known`: see open_script(); null: nothing.
[[nodiscard]] std::expected<StoredHead, RedisFault> open_history(RedisLink& link,
                                                                 const StoredKeys& keys,
                                                                 const StoredHead* known,
                                                                 Waiter& waiter,
                                                                 TimePoint deadline);

struct KeptEntries {
  EntryId behind;            // what is to be read stands behind this entry, or place between two
  core::Sequence floor = 0;  // and all that can be read, behind this event
};

// What the log has: of the entries behind `head.dropped`, and of epochs that the head knows, the
// newest `most` bytes, to the nearest mark. Never behind the head.
[[nodiscard]] std::expected<KeptEntries, RedisFault> find_entries(RedisLink& link,
                                                                  const StoredKeys& keys,
                                                                  const StoredHead& head,
                                                                  std::uint64_t most,
                                                                  Waiter& waiter,
                                                                  TimePoint deadline);

}  // namespace tocsin::net
