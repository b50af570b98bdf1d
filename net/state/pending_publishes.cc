#include "net/state/pending_publishes.h"

#include <algorithm>
#include <expected>
#include <utility>

#include "proto/assert.h"

namespace tocsin::net {
namespace {

using Outcome = core::StoreAnswer::Outcome;

PublishFailure failure_of(Outcome outcome) {
  if (outcome == Outcome::refused) {
    return {.reason = PublishFailure::Reason::unavailable,
            .error = {.message = kUnavailable}};
  }
  return {.reason = PublishFailure::Reason::unknown, .error = {.message = kUnknownOutcome}};
}

}  // namespace

void PendingPublishes::add(core::Ticket ticket, std::uint64_t bytes, std::uint64_t now_us) {
  const bool added = entries_.emplace(ticket, Entry{.bytes = bytes, .since_us = now_us}).second;
  TOCSIN_ASSERT(added);
  metrics_.pending.add();
  metrics_.pending_bytes.add(bytes);
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
  if (answer.outcome != Outcome::committed) {
    settle(entry, std::unexpected(failure_of(answer.outcome)), now_us, told);
    return true;
  }
  const core::Fit fit = applied.fit(answer.place);
  if (fit == core::Fit::next || fit == core::Fit::hole) {
    entry->second.committed = answer.place;
    committed_.emplace(answer.place.last, ticket);
  } else {  // it is here; or will never be, as its history has forked
    settle(entry, core::Published{answer.place}, now_us, told);
  }
  return true;
}

void PendingPublishes::on_applied(core::Sequence newest, std::uint64_t now_us,
                                  std::vector<Told>& told) {
  while (!committed_.empty() && committed_.begin()->first <= newest) {
    const auto entry = entries_.find(committed_.extract(committed_.begin()).mapped());
    TOCSIN_ASSERT(entry != entries_.end() && entry->second.committed);
    settle(entry, core::Published{*entry->second.committed}, now_us, told);
  }
}

void PendingPublishes::give_up(std::uint64_t before_us, std::uint64_t now_us,
                               std::vector<Told>& told) {
  for (auto next = entries_.begin(); next != entries_.end();) {
    const auto entry = next++;
    if (entry->second.since_us >= before_us) return;
    if (entry->second.result) continue;  // who published is about to ask
    if (entry->second.committed) {
      // That much is known, only not yet here.
      const core::Place place = *entry->second.committed;
      const auto [begin, end] = committed_.equal_range(place.last);
      const auto one = std::find_if(
          begin, end, [&](const auto& known) { return known.second == entry->first; });
      TOCSIN_ASSERT(one != end);
      committed_.erase(one);
      settle(entry, core::Published{place}, now_us, told);
    } else {
      settle(entry, std::unexpected(failure_of(Outcome::unknown)), now_us, told);
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
  TOCSIN_ASSERT(!pending.result && now_us >= pending.since_us);
  metrics_.pending.sub();
  metrics_.pending_bytes.sub(pending.bytes);
  metrics_.count_answer(result ? StoreMetrics::Answer::committed
                        : result.error().reason == PublishFailure::Reason::unavailable
                            ? StoreMetrics::Answer::refused
                            : StoreMetrics::Answer::unknown,
                        now_us - pending.since_us);
  if (pending.done) {
    told.push_back({.done = *std::move(pending.done), .result = std::move(result)});
    entries_.erase(entry);
  } else {
    pending.result = std::move(result);
  }
}

}  // namespace tocsin::net
