#include "net/shard/readers/presence_news.h"

#include "proto/assert.h"
#include "proto/limits.h"
#include "proto/sse/event.h"

namespace tocsin::net {
namespace {

constexpr std::uint64_t kEveryMs = 1000;

}  // namespace

void PresenceNews::run() {
  if (shard_.now_ms < due_ms_) return;
  due_ms_ = shard_.now_ms + kEveryMs;
  if (unsent_.empty()) unsent_ = shard_.state.presence.take(limits::kMaxPresenceTopics);
  std::size_t done = 0;
  for (; done < unsent_.size(); ++done) {
    const Sent sent = publish(unsent_[done]);
    if (sent == Sent::later) break;
    if (sent == Sent::never) shard_.metrics.presence_lost.add();
  }
  TOCSIN_ASSERT(done <= unsent_.size());
  unsent_.erase(unsent_.begin(), unsent_.begin() + static_cast<std::ptrdiff_t>(done));
}

PresenceNews::Sent PresenceNews::publish(const Presence::News& news) {
  const proto::EventView event{
      .topic = news.topic, .type = kPresenceEvent, .data = news.data, .json = true};
  const PublishResult result =
      publisher_.publish(shard_.state.hub, {&event, 1}, shard_.clock.now_us());
  if (!result) {
    const auto why = result.error().reason;
    const bool passes =
        why == PublishFailure::Reason::busy || why == PublishFailure::Reason::unavailable;
    return passes ? Sent::later : Sent::never;
  }
  ServerState& state = shard_.state;
  if (!result->pending()) {
    ++state.events_published;
  } else {
    state.hub.ask(result->ticket(), [&state](PublishResult&& became) {
      if (became) ++state.events_published;
    });
  }
  return Sent::yes;
}

}  // namespace tocsin::net
