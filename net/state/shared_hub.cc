#include "net/state/shared_hub.h"

#include <algorithm>
#include <optional>

#include "net/state/event_publisher.h"
#include "proto/assert.h"

namespace tocsin::net {
namespace {

const core::PublishKey* key_of(const PublishQueue::Waiting& waiting) {
  return waiting.key ? &*waiting.key : nullptr;
}

}  // namespace

SharedHub::Ordered SharedHub::order(std::span<const core::NewEvent> events, core::TimeMs now,
                                    const core::PublishKey* key) {
  if (closed_) return std::unexpected(Refusal{.closed = true});
  Refusal refusal;
  if (!pending_.has_room()) {
    refusal.why = core::PublishError::unavailable;
    return std::unexpected(refusal);
  }
  ++tickets_;
  const bool named = key == nullptr && !events.front().id.empty() && hub_.ids_once();
  if (named && pending_.has_identities() && pending_.follow(tickets_, events, now_us())) {
    return owe(core::Published{});
  }
  auto published = hub_.publish(events, now, &refusal.failed, tickets_, key, &refusal.expected);
  if (published) {
    if (!published->pending()) return *published;
    pending_.add(tickets_, bytes_while_pending(events), now_us(),
                 named ? pending_.identity_of(events) : std::nullopt);
    return owe(*std::move(published));
  }
  refusal.why = published.error();
  refusal.max_event_bytes = hub_.max_event_bytes(events[refusal.failed].topic);
  return std::unexpected(refusal);
}

// Of the newest ticket.
core::Published SharedHub::owe(core::Published&& pending) {
  ++owed_answers_;
  pending.set_ticket(tickets_);
  return pending;
}

std::uint64_t SharedHub::now_us() const {
  TOCSIN_ASSERT(clock_ != nullptr);  // a store that was not started does not answer later
  return clock_->now_us();
}

SharedHub::Ordered SharedHub::publish(std::span<const core::NewEvent> events, core::TimeMs now,
                                      const core::PublishKey* key) {
  Ordered ordered = std::unexpected(Refusal{});
  {
    const MutexLock lock(mutex_);
    if (queue_.empty()) ordered = order(events, now, key);
  }
  if (ordered) wake(ordered->wake);
  return ordered;
}

void SharedHub::wait(PublishQueue::Waiting&& waiting) {
  Ordered ordered = std::unexpected(Refusal{.closed = true});
  {
    const MutexLock lock(mutex_);
    if (!closed_ && (!queue_.empty() || hub_.overloaded())) {
      queue_.add(std::move(waiting));
      has_waiting_ = true;
      ++owed_answers_;
      return;
    }
    ordered = order(waiting.batch.events(), waiting.received_ms, key_of(waiting));
    if (!ordered || !ordered->pending()) ++owed_answers_;  // as one that has waited
  }
  tell(waiting, std::move(ordered));
}

bool SharedHub::order_waiting(const Clock& clock, std::uint64_t until_us) {
  if (store_waits_.load()) on_swept();
  while (has_waiting_.load(std::memory_order_relaxed)) {
    std::optional<PublishQueue::Waiting> first;
    Ordered ordered;
    {
      const MutexLock lock(mutex_);
      if (queue_.empty() || hub_.overloaded()) return false;
      first = queue_.take();
      has_waiting_ = !queue_.empty();
      ordered = order(first->batch.events(), first->received_ms, key_of(*first));
      if (ordered && ordered->pending()) --owed_answers_;  // it was counted when it began to wait
    }
    tell(*first, std::move(ordered));
    if (clock.now_us() > until_us) return true;
  }
  return false;
}

void SharedHub::close() {
  PublishQueue refused;
  std::vector<PendingPublishes::Told> told;
  {
    const MutexLock lock(mutex_);
    closed_ = true;
    std::swap(refused, queue_);
    has_waiting_ = false;
    if (clock_ != nullptr) pending_.give_up(UINT64_MAX, clock_->now_us(), told);
    caught_up_.notify_all();
  }
  while (!refused.empty()) {
    PublishQueue::Waiting first = refused.take();
    tell(first, std::unexpected(Refusal{.closed = true}));
  }
  tell(told);
}

// What became of a batch that has waited for the shards; or the store has it now.
void SharedHub::tell(PublishQueue::Waiting& waiting, Ordered&& ordered) {
  if (ordered && ordered->pending()) {
    ask(ordered->ticket(), std::move(waiting.done));
    return;
  }
  if (ordered) {
    wake(ordered->wake);
    waiting.done(*ordered);
  } else {
    waiting.done(std::unexpected(failure_of(ordered.error(), waiting.batch.events())));
  }
  --owed_answers_;
}

// --- the store ---

void SharedHub::start_store(const Clock& clock) {
  TOCSIN_ASSERT(!store_started_);
  clock_ = &clock;
  store_started_ = true;
  store_.start(*this);
}

void SharedHub::end() {
  close();
  if (std::exchange(store_started_, false)) store_.stop();
}

void SharedHub::ask(core::Ticket ticket, PublishDone done) {
  std::optional<PendingPublishes::Told> known;
  {
    const MutexLock lock(mutex_);
    known = pending_.ask(ticket, std::move(done));
  }
  if (!known) return;
  known->done(std::move(known->result));
  --owed_answers_;
}

void SharedHub::tell(std::vector<PendingPublishes::Told>& told) {
  for (PendingPublishes::Told& one : told) {
    one.done(std::move(one.result));
    --owed_answers_;
  }
}

void SharedHub::committed(const core::Place& place, std::span<const core::NewEvent> events,
                          core::TimeMs age_ms) {
  core::ShardSet news;
  std::vector<PendingPublishes::Told> told;
  {
    const MutexLock lock(mutex_);
    // Many batches may come at once: a healthy reader must not look slow for that.
    if (hub_.overloaded() && !closed_) store_metrics_.shard_waits.add();
    while (hub_.overloaded() && !closed_) {
      store_waits_ = true;
      caught_up_.wait(mutex_);
    }
    store_waits_ = false;
    if (hub_.journal().fit(place) != core::Fit::next) {
      store_metrics_.stale_batches.add();
      return;
    }
    const std::uint64_t now_us = clock_->now_us();
    const core::TimeMs now_ms = now_us / 1000;
    news = hub_.apply(place, events, now_ms - std::min(now_ms, age_ms));
    pending_.on_applied(hub_.last_sequence(), now_us, told);
  }
  wake(news);
  tell(told);
}

void SharedHub::answered(core::Ticket ticket, const core::StoreAnswer& answer) {
  std::vector<PendingPublishes::Told> told;
  {
    const MutexLock lock(mutex_);
    const bool known =
        pending_.answer(ticket, answer, hub_.journal(), clock_->now_us(), told);
    if (!known) store_metrics_.stale_answers.add();
  }
  tell(told);
}

void SharedHub::counted(const core::CommitFigures& figures) {
  store_metrics_.history_bytes.set(figures.history_bytes);
  if (figures.batches == 0) return;
  store_metrics_.commits.add();
  store_metrics_.commit_batches.add(figures.batches);
  store_metrics_.commit_events.add(figures.events);
  store_metrics_.commit_us.record(figures.took_us);
}

void SharedHub::linked(const core::LinkFigures& figures) {
  store_metrics_.away.set(figures.away ? 1 : 0);
  store_metrics_.reconnects.set(figures.reconnects);
  store_metrics_.failovers.set(figures.failovers);
  store_metrics_.behind.set(figures.behind);
}

void SharedHub::forked(proto::Epoch epoch) {
  std::vector<PendingPublishes::Told> told;
  {
    const MutexLock lock(mutex_);
    hub_.fork(epoch);
    epoch_ = epoch;
    store_metrics_.forks.add();
    // What was committed and is not here now never will be.
    pending_.on_applied(UINT64_MAX, clock_->now_us(), told);
  }
  tell(told);
}

void SharedHub::lost(std::string_view) {
  history_lost_ = true;
}

std::uint64_t SharedHub::store_lag_us() {
  const MutexLock lock(mutex_);
  if (clock_ == nullptr) return 0;
  const std::uint64_t now_us = clock_->now_us();
  return now_us - pending_.oldest_us(now_us);
}

void SharedHub::on_swept() {
  const MutexLock lock(mutex_);
  if (!hub_.overloaded()) caught_up_.notify_all();
}

void SharedHub::give_up_waiting() {
  if (!owes_answers()) return;
  std::vector<PendingPublishes::Told> told;
  {
    const MutexLock lock(mutex_);
    if (clock_ == nullptr) return;
    const std::uint64_t now_us = clock_->now_us();
    constexpr std::uint64_t kMostUs = limits::kMaxStoreAnswerMs * 1000;
    pending_.give_up(now_us - std::min(now_us, kMostUs), now_us, told);
  }
  tell(told);
}

}  // namespace tocsin::net
