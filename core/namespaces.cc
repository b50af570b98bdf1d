#include "core/namespaces.h"

#include <algorithm>

#include "proto/limits.h"
#include "proto/text/name_pattern.h"

namespace tocsin::core {

NamespaceCounts& NamespaceCounts::operator+=(const NamespaceCounts& other) {
  events += other.events;
  bytes += other.bytes;
  subscriptions += other.subscriptions;
  refusals += other.refusals;
  readers += other.readers;
  return *this;
}

void NamespaceTable::fill(std::span<const Namespace> namespaces) {
  TOCSIN_ASSERT(namespaces.size() <= limits::kMaxNamespaces);
  std::vector<Entry>& list = lists_[current_];
  TOCSIN_ASSERT(list.empty());
  list.reserve(namespaces.size() + 1);
  for (const Namespace& space : namespaces) {
    list.push_back(
        {.name = space.name, .match = space.match, .settings = space.settings, .counts = {}});
  }
  list.push_back({.name = std::string(kOther), .match = "*", .settings = {}, .counts = {}});
}

NamespaceId NamespaceTable::find(std::string_view topic) const {
  const std::vector<Entry>& list = lists_[current_];
  const auto found = std::ranges::find_if(
      list, [topic](const Entry& entry) { return proto::matches_name(entry.match, topic); });
  TOCSIN_ASSERT(found != list.end());  // the last one matches all
  return id_of(static_cast<std::size_t>(found - list.begin()));
}

void NamespaceTable::replace(std::span<const Namespace> namespaces) {
  TOCSIN_ASSERT(!has_old());
  current_ = 1 - current_;
  fill(namespaces);
}

void NamespaceTable::forget_old() {
  TOCSIN_ASSERT(has_old());
  std::vector<Entry>& list = lists_[current_];
  for (const Entry& old : lists_[1 - current_]) {
    TOCSIN_ASSERT(old.counts.readers == 0);
    const auto same = std::ranges::find(list, old.name, &Entry::name);
    if (same != list.end()) same->counts += old.counts;
  }
  lists_[1 - current_].clear();
}

std::vector<NamespaceTable::Named> NamespaceTable::all_counts() const {
  std::vector<Named> result;
  for (const std::vector<Entry>* list : {&lists_[current_], &lists_[1 - current_]}) {
    for (const Entry& entry : *list) result.push_back({entry.name, entry.counts});
  }
  return result;
}

}  // namespace tocsin::core
