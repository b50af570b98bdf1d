// The publisher's side of the hub: what is refused, and the one way into the logs.
#include <algorithm>
#include <cstdint>
#include <set>
#include <string_view>
#include <utility>

#include "core/publish/event_rules.h"
#include "core/hub.h"
#include "proto/assert.h"
#include "proto/sse/frame_end.h"
#include "proto/sse/wire_id.h"

namespace tocsin::core {
namespace {

PublishError error_of(StoreAnswer::Outcome outcome) {
  using Outcome = StoreAnswer::Outcome;
  switch (outcome) {
    case Outcome::refused:
      return PublishError::unavailable;
    case Outcome::differs:
      return PublishError::differs;
    case Outcome::hole:
      return PublishError::hole;
    case Outcome::forgotten:
      return PublishError::forgotten;
    case Outcome::pending:
    case Outcome::committed:
    case Outcome::repeated:
    case Outcome::unknown:
      break;
  }
  TOCSIN_ASSERT(false);  // who answers at once knows (I14)
  return PublishError::unavailable;
}

}  // namespace

std::expected<Published, PublishError> Hub::publish(std::span<const NewEvent> events, TimeMs now,
                                                    std::size_t* failed, Ticket ticket,
                                                    const PublishKey* key,
                                                    std::uint64_t* expected) {
  std::size_t index = 0;
  if (const auto error = submit(events, index)) {
    if (failed != nullptr) *failed = index;
    // Who is told to wait is not refused.
    if (*error != PublishError::busy) count_refusal(events[index].topic);
    return std::unexpected(*error);
  }
  if (settings_.ids_once && key == nullptr && !events.front().id.empty()) {
    if (const auto there = repeats(events)) {
      return Published{journal_.place_of(*there), {}, true};
    }
  }
  const StoreAnswer answer = store_->append(events, ticket, key);
  if (answer.outcome == StoreAnswer::Outcome::committed) {
    return Published{answer.place, apply(answer.place, events, now)};
  }
  if (answer.outcome == StoreAnswer::Outcome::pending) return Published{};
  if (answer.outcome == StoreAnswer::Outcome::repeated) return Published{answer.place, {}, true};
  if (failed != nullptr) *failed = 0;
  if (expected != nullptr) *expected = answer.expected;
  return std::unexpected(error_of(answer.outcome));
}

std::optional<Sequence> Hub::repeats(std::span<const NewEvent> events) const {
  std::optional<Sequence> last;
  for (const NewEvent& event : events) {
    if (event.id.empty()) return std::nullopt;
    const Topic* topic = topics_.find(event.topic);
    if (topic == nullptr) return std::nullopt;
    last = topic->log.find_same(proto::wire_id(event.id), event.body);
    if (!last) return std::nullopt;
  }
  return last;
}

std::optional<PublishError> Hub::submit(std::span<const NewEvent> events,
                                        std::size_t& failed) const {
  TOCSIN_ASSERT(!events.empty());
  failed = 0;
  if (overloaded()) return PublishError::busy;
  // Only the writer of a stream knows such a name, and publishes one event.
  if (Topic::is_direct_name(events.front().topic) && !exists(events.front().topic)) {
    return PublishError::unknown_topic;
  }
  const bool roomy = events.size() <= limits::kMaxNewTopics && can_make(events.size());
  std::set<std::string_view> missing;
  for (; failed < events.size(); ++failed) {
    const NewEvent& event = events[failed];
    const std::size_t bytes = frame_bytes(event);
    if (bytes > least_event_bound_ && bytes > max_event_bytes(event.topic)) {
      return PublishError::too_large;
    }
    if (is_reserved_id(event.id, journal_.epochs())) return PublishError::reserved_id;
    if (roomy || topics_.find(event.topic) != nullptr) continue;
    if (!settings_.auto_topics) return PublishError::unknown_topic;
    if (!missing.insert(event.topic).second) continue;
    if (!can_make(missing.size())) return PublishError::topic_limit;
    if (missing.size() > limits::kMaxNewTopics) return PublishError::too_many_new;
  }
  return std::nullopt;
}

ShardSet Hub::apply(const Place& place, std::span<const NewEvent> events, TimeMs now) {
  TOCSIN_ASSERT(place.events() == events.size());
  const Sequence swept = swept_by_all();  // of this batch nothing is, so once is enough
  journal_.follow(place);
  now = now_ = std::max(now_, now);
  ShardSet wake;
  proto::EventId id{.epoch = place.epoch, .sequence = place.first};
  Topic* topic = nullptr;
  for (const NewEvent& event : events) {
    if (topic == nullptr || topic->name != event.topic) topic = find_or_make(event.topic, now);
    if (topic != nullptr) {
      const Mark before{id.sequence - 1, appended_bytes_};
      append(*topic, event, id, swept, now);
      if (!topic->subscribers.is_empty()) wake |= announce(*topic, before);
    } else {
      pass_over(event, id.sequence);
    }
    ++id.sequence;
  }
  if (memory() > settings_.total_bytes) enforce_total();
  return wake;
}

// Its topic went, or the last free one was taken, since it was submitted. Nobody reads the topic,
// and who resumes there later is told of the gap.
void Hub::pass_over(const NewEvent& event, Sequence sequence) {
  if (Topic::is_direct_name(event.topic)) return;
  Sequence& bucket = forgotten(event.topic);
  bucket = std::max(bucket, sequence);
}

void Hub::append(Topic& topic, const NewEvent& event, const proto::EventId& id, Sequence swept,
                 TimeMs now) {
  TOCSIN_DEBUG_ASSERT(!event.body.contains("\n\n"));  // it would be two events
  const bool own_id = event.id.empty();
  const proto::FrameEnd end = own_id ? proto::FrameEnd(id) : proto::FrameEnd(event.id);
  const bool indexed = !own_id && !topic.is_direct();
  const bool grew =
      topic.log.append(event.body, end.text(), indexed, id.sequence, now, pages_, event.received);
  topic.last_used = now;
  const std::size_t size = proto::chunk_size(event.body.size() + end.text().size());
  appended_bytes_ += size;
  ++events_encoded_;
  NamespaceCounts& counts = namespaces_.counts(topic.space);
  ++counts.events;
  counts.bytes += size;
  // Memory goes by whole pages: in between there is little to win, and with many topics a look at
  // the oldest one is two cache misses. What is too old by then goes in maintain().
  if (grew) topic.log.trim(history_of(topic), backlog_of(topic), swept, now, pages_);
}

}  // namespace tocsin::core
