#include "core/publish/published_keys.h"

#include <iterator>

#include "proto/assert.h"

namespace tocsin::core {
namespace {

using Kind = KeyFinding::Kind;

// That go in one call: a fraction of a millisecond. Where more end at once the rest is known a
// little longer.
constexpr int kMostDropped = 256;

}  // namespace

void PublishedKeys::drop_old(std::uint64_t now_ms, Gone* gone) {
  for (int i = 0; i < kMostDropped && !order_.empty(); ++i) {
    const auto oldest = known_.find(order_.front());
    TOCSIN_ASSERT(oldest != known_.end());
    const std::uint64_t time_ms = oldest->second.time_ms;
    if (now_ms <= time_ms || now_ms - time_ms <= kPublishKeyMs) return;
    forget(oldest, gone);
  }
}

KeyFinding PublishedKeys::find(const PublishKey& key) const {
  std::uint64_t expected = 0;
  if (key.number > 0) {
    // The newest number of the name: what stands before the first of the next name.
    const auto behind = known_.upper_bound({.name = key.name, .number = UINT64_MAX});
    const bool is_known = behind != known_.begin() && std::prev(behind)->first.name == key.name &&
                          std::prev(behind)->first.number > 0;
    expected = (is_known ? std::prev(behind)->first.number : 0) + 1;
    if (key.number == expected) return {.kind = Kind::fresh};
    if (key.number > expected) return {.kind = Kind::hole, .expected = expected};
  }
  const auto known = known_.find(id_of(key));
  if (known == known_.end()) {
    return {.kind = key.number > 0 ? Kind::forgotten : Kind::fresh, .expected = expected};
  }
  if (known->second.content != key.content) return {.kind = Kind::differs};
  return {.kind = Kind::repeated, .place = known->second.place};
}

void PublishedKeys::add(const PublishKey& key, const Place& place, Gone* gone) {
  TOCSIN_ASSERT(find(key).kind == Kind::fresh);
  restore(key, place, gone);
}

void PublishedKeys::restore(const PublishKey& key, const Place& place, Gone* gone) {
  if (const auto same = known_.find(id_of(key)); same != known_.end()) forget(same, gone);
  while (known_.size() >= most_) forget(known_.find(order_.front()), gone);
  if (key.number > limits::kKeptNumbers) {
    const auto last =
        known_.find({.name = key.name, .number = key.number - limits::kKeptNumbers});
    if (last != known_.end()) forget(last, gone);
  }
  const Id id = id_of(key);
  order_.push_back(id);
  known_.emplace(id, Known{.place = place,
                           .content = key.content,
                           .time_ms = key.time_ms,
                           .at = std::prev(order_.end())});
}

void PublishedKeys::remove(const PublishKey& key) {
  const auto known = known_.find(id_of(key));
  if (known != known_.end()) forget(known, nullptr);  // a later one may have displaced it
}

void PublishedKeys::forget(Table::iterator known, Gone* gone) {
  TOCSIN_ASSERT(known != known_.end());
  if (gone != nullptr) gone->push_back(known->second.place.last);
  order_.erase(known->second.at);
  known_.erase(known);
}

}  // namespace tocsin::core
