#include "net/client/event_reader.h"

#include <utility>

#include "net/client/stream_loop.h"
#include "net/transport/waiter.h"
#include "proto/assert.h"
#include "proto/limits.h"

namespace tocsin::net {

using std::chrono::milliseconds;

EventReader::~EventReader() = default;

std::expected<std::unique_ptr<EventReader>, std::string> EventReader::create(
    EventSourceOptions options, EventSourceCallbacks callbacks) {
  TOCSIN_ASSERT(!callbacks.on_event);
  std::unique_ptr<EventReader> reader(new EventReader);
  reader->taken_id_ = options.last_event_id;
  callbacks.on_event = [self = reader.get()](const proto::ReceivedEvent& event) {
    self->on_event(event);
  };
  auto loop = StreamLoop::create(std::move(options), std::move(callbacks), limits::kReaderBuffer);
  if (!loop) return std::unexpected(std::move(loop.error()));
  reader->loop_ = std::move(*loop);
  return reader;
}

std::expected<PulledEvent, NoEvent> EventReader::next(milliseconds timeout) {
  const TimePoint now = loop_->now();
  const auto longest = std::chrono::floor<milliseconds>(kNever - now);
  return next_until(timeout < longest ? now + timeout : kNever);
}

std::expected<PulledEvent, NoEvent> EventReader::next() {
  return next_until(kNever);
}

std::expected<PulledEvent, NoEvent> EventReader::next_until(TimePoint deadline) {
  // One step even if the deadline has passed: a program that never waits gets on, too.
  for (bool stepped = false; pending_.empty(); stepped = true) {
    if (loop_->stopping()) return std::unexpected(NoEvent::stopped);
    if (loop_->is_over()) return std::unexpected(NoEvent::over);
    if (stepped && loop_->now() >= deadline) return std::unexpected(NoEvent::timeout);
    loop_->step(deadline);
  }
  if (loop_->stopping()) return std::unexpected(NoEvent::stopped);
  Pending& first = pending_.front();
  PulledEvent event{std::move(first.type), std::move(first.data), *first.id};
  pending_.pop_front();
  taken_id_ = event.last_event_id;
  return event;
}

void EventReader::on_event(const proto::ReceivedEvent& event) {
  TOCSIN_ASSERT(loop_ != nullptr);  // nothing is called back before next()
  const bool same_id = !pending_.empty() && *pending_.back().id == event.last_event_id;
  pending_.push_back(
      {std::string(event.type), std::string(event.data),
       same_id ? pending_.back().id : std::make_shared<const std::string>(event.last_event_id)});
}

void EventReader::stop() noexcept {
  loop_->stop();
}

// Ids that came without an event count, but only once everything before them was given.
const std::string& EventReader::last_event_id() const {
  return pending_.empty() ? loop_->last_event_id() : taken_id_;
}

EventSourceResult EventReader::result() const {
  return loop_->result();
}

}  // namespace tocsin::net
