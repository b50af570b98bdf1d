#include "net/redis/history_start.h"

#include <algorithm>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

namespace tocsin::net {
namespace {

using Kind = RespValue::Kind;

// Entries that others may have put in front of the oldest.
constexpr int kMostForeign = 64;

// The place in front of the oldest entry that a hub can follow; nothing: there is none.
std::expected<std::optional<EntryId>, RedisFault> find_oldest(RedisLink& link,
                                                              const StoredKeys& keys,
                                                              const StoredHead& head,
                                                              Waiter& waiter, TimePoint deadline) {
  // Of epochs that are forgotten nothing is read.
  const std::uint64_t known = head.older.empty() ? head.generation : head.older.front().generation;
  std::string from = std::to_string(known) + "-0";
  for (int i = 0; i < kMostForeign; ++i) {
    const auto reply = link.ask({"XRANGE", keys.log, from, "+", "COUNT", "1"}, waiter, deadline);
    if (!reply) return std::unexpected(reply.error());
    if ((*reply)->is(Kind::error)) return std::unexpected(link.fault_of(**reply));
    if ((*reply)->items().empty()) return std::nullopt;
    const RespValue& first = (*reply)->at(0);
    if (const auto entry = parse_entry(first)) {
      return EntryId{.generation = entry->id.generation, .last = entry->id.last - entry->events};
    }
    from = "(" + std::string(first.at(0).text);
  }
  return std::nullopt;
}

// The entry behind which the newest `most` bytes stand, or some more; nothing: all do.
std::expected<std::optional<EntryId>, RedisFault> find_newest(RedisLink& link,
                                                              const StoredKeys& keys,
                                                              const StoredHead& head,
                                                              std::uint64_t most, Waiter& waiter,
                                                              TimePoint deadline) {
  if (head.bytes <= most) return std::nullopt;
  const auto marks = link.ask({"LRANGE", keys.marks, "0", "-1"}, waiter, deadline);
  if (!marks) return std::unexpected(marks.error());
  if ((*marks)->is(Kind::error)) return std::unexpected(link.fault_of(**marks));
  std::optional<EntryId> found;
  for (const RespValue& text : (*marks)->items()) {
    const auto mark = parse_mark(text.text);
    if (!mark || mark->bytes > head.bytes) continue;
    found = mark->id;
    if (head.bytes - mark->bytes <= most) break;
  }
  return found;
}

}  // namespace

std::expected<StoredHead, RedisFault> open_history(RedisLink& link, const StoredKeys& keys,
                                                   const StoredHead* known, Waiter& waiter,
                                                   TimePoint deadline) {
  std::random_device device;
  const std::string epoch = std::to_string(static_cast<proto::Epoch>(device()));
  std::vector<std::string> about(4);
  if (known != nullptr) {
    about = {std::to_string(known->epoch), std::to_string(known->generation),
             std::to_string(known->last), known->older_text()};
  }
  const auto reply = link.ask({"EVAL", open_script(), "2", keys.head, keys.log, epoch, about[0],
                               about[1], about[2], about[3]},
                              waiter, deadline);
  if (!reply) return std::unexpected(reply.error());
  auto head = parse_head(**reply);
  if (!head) return std::unexpected(link.fault_of(**reply));
  return *std::move(head);
}

std::expected<KeptEntries, RedisFault> find_entries(RedisLink& link, const StoredKeys& keys,
                                                    const StoredHead& head, std::uint64_t most,
                                                    Waiter& waiter, TimePoint deadline) {
  const auto wanted = find_newest(link, keys, head, most, waiter, deadline);
  if (!wanted) return std::unexpected(wanted.error());
  const auto oldest = find_oldest(link, keys, head, waiter, deadline);
  if (!oldest) return std::unexpected(oldest.error());
  const KeptEntries none{.behind = {.generation = head.generation, .last = head.last},
                         .floor = head.last};
  if (!*oldest) return none;
  const EntryId sound{.generation = head.generation_behind(head.dropped), .last = head.dropped};
  // A mark's entry may be gone; or be of what was lost, as others can write there, too.
  const EntryId behind = std::max({sound, **oldest, wanted->value_or(sound)});
  if (behind > none.behind || behind.last > none.behind.last) return none;
  return KeptEntries{.behind = behind, .floor = std::max(sound.last, (*oldest)->last)};
}

}  // namespace tocsin::net
