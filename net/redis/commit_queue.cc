#include "net/redis/commit_queue.h"

#include <string_view>

#include "net/store/batch_bytes.h"
#include "proto/assert.h"
#include "proto/limits.h"

namespace tocsin::net {
namespace {

// Bytes of a commit that is not one batch alone. Large enough that an entry's own cost is nothing,
// small enough that a page of the stream fits into a few megabytes.
constexpr std::size_t kGathered = 256 * limits::kKiB;

// What an event, and a batch, take in memory besides.
constexpr std::size_t kEventOverhead = sizeof(core::ReceiptUs);
constexpr std::size_t kPartOverhead = sizeof(Commit::Part);

std::size_t held_by(const Commit& commit) {
  return commit.bytes.size() + commit.events * kEventOverhead +
         commit.parts.size() * kPartOverhead;
}

}  // namespace

CommitQueue::Added CommitQueue::add(std::span<const core::NewEvent> events, core::Ticket ticket,
                                    const core::PublishKey* key) {
  TOCSIN_ASSERT(!events.empty());
  const MutexLock lock(mutex_);
  if (!open_ || held_ >= limits::kMaxPendingPublishes) return Added::no;
  const bool first = waiting_.empty();
  const bool room = !first && key == nullptr && !waiting_.back().key &&
                    waiting_.back().bytes.size() < kGathered &&
                    waiting_.back().events + events.size() <= limits::kMaxBatchEvents;
  Commit& commit = room ? waiting_.back() : waiting_.emplace_back();
  if (key != nullptr) commit.key = *key;
  const std::size_t before = room ? held_by(commit) : 0;
  std::string_view topic;
  append_events(commit.bytes, events, topic);
  commit.events += events.size();
  commit.parts.push_back({.ticket = ticket, .events = events.size()});
  for (const core::NewEvent& event : events) commit.received.push_back(event.received);
  held_ += held_by(commit) - before;
  return first ? Added::first : Added::yes;
}

std::optional<Commit> CommitQueue::take() {
  const MutexLock lock(mutex_);
  if (waiting_.empty()) return std::nullopt;
  Commit commit = std::move(waiting_.front());
  waiting_.pop_front();
  return commit;
}

void CommitQueue::release(const Commit& commit) {
  const MutexLock lock(mutex_);
  TOCSIN_ASSERT(held_ >= held_by(commit));
  held_ -= held_by(commit);
}

void CommitQueue::open() {
  const MutexLock lock(mutex_);
  open_ = true;
}

std::deque<Commit> CommitQueue::close() {
  const MutexLock lock(mutex_);
  open_ = false;
  for (const Commit& commit : waiting_) {
    TOCSIN_ASSERT(held_ >= held_by(commit));
    held_ -= held_by(commit);
  }
  return std::exchange(waiting_, {});
}

}  // namespace tocsin::net
