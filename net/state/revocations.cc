#include "net/state/revocations.h"

#include "proto/assert.h"

namespace tocsin::net {

bool Revocations::set(std::string_view subject, std::int64_t until_s, std::int64_t now_s) {
  TOCSIN_ASSERT(!subject.empty() && subject.size() <= Principal::kMaxSubject);
  const MutexLock lock(mutex_);
  while (!by_end_.empty() && by_end_.begin()->first <= now_s) {
    erase(until_.find(by_end_.begin()->second));
  }
  if (const auto known = until_.find(subject); known != until_.end()) erase(known);
  const bool full = until_.size() == limits::kMaxRevocations;
  if (until_s > now_s && !full) {
    const auto [one, fresh] = until_.emplace(subject, until_s);
    TOCSIN_ASSERT(fresh);
    by_end_.emplace(until_s, one->first);
  }
  count_ = until_.size();
  return until_s <= now_s || !full;
}

void Revocations::erase(UntilWhen::iterator one) {
  TOCSIN_ASSERT(one != until_.end());
  by_end_.erase({one->second, one->first});
  until_.erase(one);
  TOCSIN_ASSERT(by_end_.size() == until_.size());
}

std::optional<Denial> Revocations::look_up(const Principal& principal, std::int64_t now_s) const {
  if (principal.subject.empty() || principal.admin) return std::nullopt;
  if (principal.kind == CredentialKind::key) return std::nullopt;
  const MutexLock lock(mutex_);
  const auto found = until_.find(principal.subject);
  if (found == until_.end() || found->second <= now_s) return std::nullopt;
  return Denial{.cause = DenialCause::revoked,
                .reason = "subject " + shown(principal.subject) + " is revoked for another " +
                          span_words(found->second - now_s)};
}

std::vector<Revocations::Entry> Revocations::list(std::string_view after, std::size_t most,
                                                  std::int64_t now_s) const {
  std::vector<Entry> found;
  const MutexLock lock(mutex_);
  for (auto at = until_.upper_bound(after); at != until_.end() && found.size() < most; ++at) {
    if (at->second > now_s) found.push_back({.subject = at->first, .until_s = at->second});
  }
  return found;
}

}  // namespace tocsin::net
