#include "net/redis/followed_history.h"

#include <algorithm>
#include <limits>
#include <utility>

#include <fmt/format.h>

#include "proto/assert.h"
#include "proto/limits.h"

namespace tocsin::net {

namespace {

constexpr core::Sequence kNoEnd = std::numeric_limits<core::Sequence>::max();

// Why something cannot be.
std::unexpected<std::string> because(std::string why) {
  return std::unexpected(std::move(why));
}

}  // namespace

FollowedHistory::FollowedHistory(StoredHead head, EntryId behind)
    : head_(std::move(head)), behind_(behind) {
  TOCSIN_ASSERT(behind_.last <= head_.last && behind_.generation <= head_.generation);
}

std::optional<core::Journal> FollowedHistory::journal() const {
  auto epochs = head_.epochs();
  if (!epochs) return std::nullopt;
  return core::Journal(*std::move(epochs), behind_.last);
}

// A history that is told of only in part ends there: epochs that began later have not begun.
StoredHead FollowedHistory::known() const {
  StoredHead known = head_;
  known.last = behind_.last;
  for (StoredHead::Older& one : known.older) one.end = std::min(one.end, behind_.last);
  return known;
}

FollowedHistory::Judged FollowedHistory::judge(const StoredHead& now) const {
  if (now.epoch == head_.epoch) {
    if (now.last >= behind_.last && now.generation == head_.generation) return {};
    return because(fmt::format("it ends with event {}, and {} was there", now.last, behind_.last));
  }
  const auto ours = std::ranges::find(now.older, head_.epoch, &StoredHead::Older::epoch);
  if (ours == now.older.end()) return because("it is another history, or was lost as a whole");
  if (ours->end >= behind_.last) return {};
  return because(fmt::format("its newest events were lost: {} is left, and {} was there",
                             ours->end, behind_.last));
}

std::optional<StoredHead::Older> FollowedHistory::epoch_of(std::uint64_t generation) const {
  if (generation == head_.generation) {
    return StoredHead::Older{.epoch = head_.epoch, .generation = generation, .end = kNoEnd};
  }
  const auto one = std::ranges::find(head_.older, generation, &StoredHead::Older::generation);
  return one == head_.older.end() ? std::nullopt : std::optional(*one);
}

bool FollowedHistory::may_have(const EntryId& id) const {
  const auto epoch = epoch_of(id.generation);
  return epoch && id.last <= epoch->end;
}

FollowedHistory::Judged FollowedHistory::stands_next(const StoredEntry& entry) const {
  const core::Sequence before = entry.id.last - entry.events;
  if (before == behind_.last) return {};
  return because(fmt::format(
      "what follows event {} begins behind {}: what is between was removed", behind_.last, before));
}

void FollowedHistory::skip(EntryId behind) {
  TOCSIN_ASSERT(behind.last >= behind_.last);
  behind_ = behind;
}

std::expected<core::Place, std::string> FollowedHistory::follow(const StoredEntry& entry) {
  const auto epoch = epoch_of(entry.id.generation);
  if (!epoch) return because("an entry is of an epoch that nobody has begun");
  if (auto next = stands_next(entry); !next) return because(next.error());
  TOCSIN_ASSERT(entry.events > 0);  // or it begins an epoch
  const core::Place place{.epoch = epoch->epoch, .first = behind_.last + 1, .last = entry.id.last};
  behind_ = entry.id;
  return place;
}

std::expected<bool, std::string> FollowedHistory::follow_open(const StoredEntry& entry) {
  if (auto next = stands_next(entry); !next) return because(next.error());
  TOCSIN_ASSERT(entry.events == 0 && entry.id.last == behind_.last);
  const auto is_it = [&](const StoredHead::Older& one) { return one.epoch == entry.opens; };
  const bool known =
      entry.opens == head_.epoch || std::ranges::any_of(head_.older, is_it);
  behind_ = entry.id;
  if (known) return false;
  head_.older.push_back(
      {.epoch = head_.epoch, .generation = head_.generation, .end = entry.id.last});
  if (head_.older.size() >= limits::kMaxEpochs) head_.older.erase(head_.older.begin());
  head_.epoch = entry.opens;
  head_.generation = entry.id.generation;
  return true;
}

}  // namespace tocsin::net
