// One topic of the hub.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "core/namespaces.h"
#include "core/settings.h"
#include "core/shard_set.h"
#include "core/topic_log.h"

namespace tocsin::core {

// Threads: under the hub's lock.
struct Topic {
  Topic(std::string topic_name, Sequence forgotten) : name(std::move(topic_name)), log(forgotten) {}

  const std::string name;
  [[no_unique_address]] TopicLog log;  // `readers` is in what would be its padding
  std::uint32_t readers = 0;           // streams, of all shards
  ShardSet subscribers;                // shards that have subscribers here
  ShardSet dirty;           // shards with news here that they have not collected
  TimeMs last_used = 0;     // the last publish or leave
  std::uint32_t index = 0;  // in Hub::order_
  bool declared = false;    // named in the settings, or by create(): never forgotten
  bool removed = false;     // true exactly when it is in Hub::removed_: no name leads here any more
  NamespaceId space = 0;    // by its name
  std::unique_ptr<const TopicSettings> settings;  // its own, by create(); null: it has none

  [[nodiscard]] bool is_direct() const { return is_direct_name(name); }
  // Names that no client can ask for: proto::is_topic_name refuses control characters.
  static constexpr char kDirectMark = '\x1f';
  [[nodiscard]] static bool is_direct_name(std::string_view name) {
    return !name.empty() && name.front() == kDirectMark;
  }
};
static_assert(sizeof(Topic) <= 168, "a size of malloc's; there may be millions");

}  // namespace tocsin::core
