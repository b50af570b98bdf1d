#include "net/state/pending_publishes.h"

#include <algorithm>
#include <expected>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "proto/assert.h"

namespace tocsin::net {
namespace {

using Outcome = core::StoreAnswer::Outcome;

PublishFailure failure_of(const core::StoreAnswer& answer) {
  const Outcome outcome = answer.outcome;
  if (outcome == Outcome::differs) return key_failure(core::PublishError::differs);
  if (outcome == Outcome::hole) return key_failure(core::PublishError::hole, answer.expected);
  if (outcome == Outcome::forgotten) {
    return key_failure(core::PublishError::forgotten, answer.expected);
  }
  if (outcome == Outcome::refused) {
    return {.reason = PublishFailure::Reason::unavailable,
            .error = {.message = kUnavailable}};
  }
  return {.reason = PublishFailure::Reason::unknown, .error = {.message = kUnknownOutcome}};
}

}  // namespace

PublishFailure key_failure(core::PublishError why, std::uint64_t expected) {
  using Reason = PublishFailure::Reason;
  const auto failure = [&](Reason reason, std::string message) {
    return PublishFailure{
        .reason = reason, .error = {.message = std::move(message)}, .expected = expected};
  };
  if (why == core::PublishError::differs) {
    return failure(Reason::differs, "was used before, to publish something else");
  }
  if (why == core::PublishError::hole) {
    return failure(Reason::hole,
                   expected == 1
                       ? "no number of this name is known: 1 is expected"
                       : fmt::format("does not follow the last number of this name: {} is expected",
                                     expected));
  }
  TOCSIN_ASSERT(why == core::PublishError::forgotten);
  return failure(Reason::forgotten,
                 fmt::format("was published long ago, and its ids are no longer known: {} is "
                             "expected",
                             expected));
}

void PendingPublishes::add(core::Ticket ticket, std::uint64_t bytes, std::uint64_t now_us,
                           std::optional<std::size_t> identity) {
  const bool added =
      entries_.emplace(ticket, Entry{.bytes = bytes, .since_us = now_us, .identity = identity})
          .second;
  TOCSIN_ASSERT(added);
  if (identity) identities_[*identity] = ticket;
  metrics_.pending.add();
  metrics_.pending_bytes.add(bytes);
}

std::optional<std::size_t> PendingPublishes::identity_of(
    std::span<const core::NewEvent> events) const {
  std::string text;
  for (const core::NewEvent& event : events) {
    if (event.id.empty()) return std::nullopt;
    for (const std::string_view part : {event.topic, event.id, event.body}) {
      text.append(std::to_string(part.size())).append(" ").append(part);
    }
  }
  return core::keyed_hash(text, key_);
}

bool PendingPublishes::follow(core::Ticket ticket, std::span<const core::NewEvent> events,
                              std::uint64_t now_us) {
  const auto identity = identity_of(events);
  const auto first = identity ? identities_.find(*identity) : identities_.end();
  if (first == identities_.end()) return false;
  entries_.at(first->second).followers.push_back(ticket);
  add(ticket, limits::kPendingPublish, now_us);
  return true;
}

std::optional<PendingPublishes::Told> PendingPublishes::ask(core::Ticket ticket,
                                                            PublishDone done) {
  const auto entry = entries_.find(ticket);
  TOCSIN_ASSERT(entry != entries_.end() && !entry->second.done);
  if (!entry->second.result) {
    entry->second.done = std::move(done);
    return std::nullopt;
  }
  Told told{.done = std::move(done), .result = *std::move(entry->second.result)};
  entries_.erase(entry);
  return told;
}

bool PendingPublishes::answer(core::Ticket ticket, const core::StoreAnswer& answer,
                              const core::Journal& applied, std::uint64_t now_us,
                              std::vector<Told>& told) {
  TOCSIN_ASSERT(answer.outcome != Outcome::pending);
  const auto entry = entries_.find(ticket);
  if (entry == entries_.end() || entry->second.result || entry->second.committed) return false;
  if (!answer.is_there()) {
    settle(entry, std::unexpected(failure_of(answer)), now_us, told);
    return true;
  }
  const core::Published published{answer.place, {}, answer.outcome == Outcome::repeated};
  const core::Fit fit = applied.fit(answer.place);
  if (fit == core::Fit::next || fit == core::Fit::hole) {
    entry->second.committed = published;
    committed_.emplace(answer.place.last, ticket);
  } else {  // it is here; or will never be, as its history has forked
    settle(entry, published, now_us, told);
  }
  return true;
}

void PendingPublishes::on_applied(core::Sequence newest, std::uint64_t now_us,
                                  std::vector<Told>& told) {
  while (!committed_.empty() && committed_.begin()->first <= newest) {
    const auto entry = entries_.find(committed_.extract(committed_.begin()).mapped());
    TOCSIN_ASSERT(entry != entries_.end() && entry->second.committed);
    settle(entry, core::Published(*entry->second.committed), now_us, told);
  }
}

void PendingPublishes::give_up(std::uint64_t before_us, std::uint64_t now_us,
                               std::vector<Told>& told) {
  core::Ticket ticket = 0;  // what follows it may go with it
  for (auto entry = entries_.begin(); entry != entries_.end();
       entry = entries_.upper_bound(ticket)) {
    ticket = entry->first;
    if (entry->second.since_us >= before_us) return;
    if (entry->second.result) continue;  // who published is about to ask
    if (entry->second.committed) {
      // That much is known, only not yet here.
      const core::Published published = *entry->second.committed;
      const auto [begin, end] = committed_.equal_range(published.last);
      const auto one = std::find_if(
          begin, end, [&](const auto& known) { return known.second == entry->first; });
      TOCSIN_ASSERT(one != end);
      committed_.erase(one);
      settle(entry, published, now_us, told);
    } else {
      settle(entry, std::unexpected(failure_of({.outcome = Outcome::unknown})), now_us, told);
    }
  }
}

std::uint64_t PendingPublishes::oldest_us(std::uint64_t now_us) const {
  // Of those at the front whose answer is known, who published is about to ask.
  for (const auto& [ticket, entry] : entries_) {
    if (!entry.result) return std::min(entry.since_us, now_us);
  }
  return now_us;
}

void PendingPublishes::settle(Entries::iterator entry, PublishResult&& result,
                              std::uint64_t now_us, std::vector<Told>& told) {
  Entry& pending = entry->second;
  count(pending, result, now_us);
  if (pending.identity) {
    const auto mine = identities_.find(*pending.identity);
    if (mine != identities_.end() && mine->second == entry->first) identities_.erase(mine);
  }
  for (const core::Ticket follower : std::exchange(pending.followers, {})) {
    PublishResult same = result;
    if (same) same->repeated = true;
    settle(entries_.find(follower), std::move(same), now_us, told);
  }
  if (pending.done) {
    told.push_back({.done = *std::move(pending.done), .result = std::move(result)});
    entries_.erase(entry);
  } else {
    pending.result = std::move(result);
  }
}

void PendingPublishes::count(const Entry& entry, const PublishResult& result,
                             std::uint64_t now_us) {
  TOCSIN_ASSERT(!entry.result && now_us >= entry.since_us);
  metrics_.pending.sub();
  metrics_.pending_bytes.sub(entry.bytes);
  using Became = StoreMetrics::Answer;
  const bool unknown = !result && result.error().reason == PublishFailure::Reason::unknown;
  metrics_.count_answer(result ? Became::committed : unknown ? Became::unknown : Became::refused,
                        now_us - entry.since_us);
}

}  // namespace tocsin::net
