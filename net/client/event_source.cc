#include "net/client/event_source.h"

#include <cstddef>
#include <utility>

#include "net/client/stream_loop.h"
#include "proto/assert.h"

namespace tocsin::net {
namespace {

constexpr std::size_t kReadBuffer = std::size_t{64} * 1024;

}  // namespace

EventSource::EventSource(std::unique_ptr<StreamLoop> loop) : loop_(std::move(loop)) {}
EventSource::~EventSource() = default;

std::expected<std::unique_ptr<EventSource>, std::string> EventSource::create(
    EventSourceOptions options, EventSourceCallbacks callbacks) {
  auto loop = StreamLoop::create(std::move(options), std::move(callbacks), kReadBuffer);
  if (!loop) return std::unexpected(std::move(loop.error()));
  return std::unique_ptr<EventSource>(new EventSource(std::move(*loop)));
}

EventSourceResult EventSource::run() {
  TOCSIN_ASSERT(!was_run_);
  was_run_ = true;
  while (!loop_->stopping() && !loop_->is_over()) loop_->step(kNever);
  return loop_->result();
}

void EventSource::stop() noexcept {
  loop_->stop();
}

const std::string& EventSource::last_event_id() const {
  return loop_->last_event_id();
}

}  // namespace tocsin::net
