#include "net/state/shared_hub.h"

#include <optional>

#include "net/state/event_publisher.h"
#include "proto/assert.h"

namespace tocsin::net {

SharedHub::Ordered SharedHub::order(std::span<const core::NewEvent> events, core::TimeMs now) {
  Refusal refusal;
  const auto published = hub_.publish(events, now, &refusal.failed);
  if (published) {
    TOCSIN_ASSERT(!published->pending());  // memory answers at once
    return *published;
  }
  refusal.why = published.error();
  refusal.max_event_bytes = hub_.max_event_bytes(events[refusal.failed].topic);
  return std::unexpected(refusal);
}

SharedHub::Ordered SharedHub::publish(std::span<const core::NewEvent> events, core::TimeMs now) {
  Ordered ordered = std::unexpected(Refusal{});
  {
    const MutexLock lock(mutex_);
    if (queue_.empty()) ordered = order(events, now);
  }
  if (ordered) wake(ordered->wake);
  return ordered;
}

void SharedHub::wait(PublishQueue::Waiting&& waiting) {
  Ordered ordered = std::unexpected(Refusal{});
  {
    const MutexLock lock(mutex_);
    if (!closed_ && (!queue_.empty() || hub_.overloaded())) {
      queue_.add(std::move(waiting));
      has_waiting_ = true;
      return;
    }
    if (!closed_) ordered = order(waiting.batch.events(), waiting.received_ms);
  }
  tell(waiting, std::move(ordered));
}

bool SharedHub::order_waiting(const Clock& clock, std::uint64_t until_us) {
  while (has_waiting_.load(std::memory_order_relaxed)) {
    std::optional<PublishQueue::Waiting> first;
    Ordered ordered;
    {
      const MutexLock lock(mutex_);
      if (queue_.empty() || hub_.overloaded()) return false;
      first = queue_.take();
      has_waiting_ = !queue_.empty();
      ordered = order(first->batch.events(), first->received_ms);
    }
    tell(*first, std::move(ordered));
    if (clock.now_us() > until_us) return true;
  }
  return false;
}

void SharedHub::close_waiting() {
  PublishQueue refused;
  {
    const MutexLock lock(mutex_);
    closed_ = true;
    std::swap(refused, queue_);
    has_waiting_ = false;
  }
  while (!refused.empty()) {
    PublishQueue::Waiting first = refused.take();
    tell(first, std::unexpected(Refusal{}));
  }
}

// What was not even tried is refused as busy: the hub has ended.
void SharedHub::tell(PublishQueue::Waiting& waiting, Ordered&& ordered) {
  if (ordered) {
    wake(ordered->wake);
    waiting.done(*ordered);
  } else if (ordered.error().why == core::PublishError::busy) {
    waiting.done(std::unexpected(PublishFailure{.reason = PublishFailure::Reason::closed,
                                                .error = {.message = "the hub has ended"}}));
  } else {
    waiting.done(std::unexpected(failure_of(ordered.error(), waiting.batch.events())));
  }
}

}  // namespace tocsin::net
