// Events on request: a stream that the program takes events from, instead of being called back.
//
//   auto reader = EventReader::create({.url = "https://hub.example/events"}).value();
//   while (auto event = reader->next()) handle(event->data);
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <expected>
#include <memory>
#include <string>

#include "net/client/event_source.h"
#include "proto/sse/sse_parser.h"

namespace tocsin::net {

// What a program gets; its own copy.
struct PulledEvent {
  std::string type;  // "message" where the stream named none
  std::string data;
  std::string last_event_id;
};

enum class NoEvent : std::uint8_t {
  timeout,  // ask again
  stopped,  // stop()
  over,     // for good; result() says why
};

// The stream behaves as an EventSource does (net/client/event_source.h) and moves only inside
// next(): connects, reads, comes back.
//
// The bound: it reads when nothing is left to give, at most limits::kReaderBuffer bytes (with TLS
// one record more), and holds the events in there; beyond the buffer one event and one id may take
// max_event_bytes each. The policy when full: it does not read, so the kernel's buffers fill and
// the server waits. A program that pauses for longer than the server puts up with is cut off, and
// the next call resumes where it was.
//
// Thread-safety: stop() from any thread and from signal handlers; the rest in one thread at a time.
// No thread of its own. Descriptors: an eventfd, and a socket while connected.
class EventReader {
 public:
  // The callbacks are called by next(); on_event is not: REQUIRES: it is empty. The error says in
  // words which option is wrong, or that there is no descriptor left.
  [[nodiscard]] static std::expected<std::unique_ptr<EventReader>, std::string> create(
      EventSourceOptions options, EventSourceCallbacks callbacks = {});
  ~EventReader();
  EventReader(const EventReader&) = delete;
  EventReader& operator=(const EventReader&) = delete;

  // The next event. Blocks until there is one, for `timeout` at the most; with 0 it does what can
  // be done at once. A name look-up that is under way is finished first
  // (net/transport/resolver.h). Events that came before the end are given before it is told; after
  // stop() none is.
  [[nodiscard]] std::expected<PulledEvent, NoEvent> next(std::chrono::milliseconds timeout);
  // Without end.
  [[nodiscard]] std::expected<PulledEvent, NoEvent> next();

  // Events that next() would give at once.
  [[nodiscard]] std::size_t pending() const { return pending_.size(); }

  // Makes next() return soon, and at once from then on. Async-signal-safe.
  void stop() noexcept;

  // Where another reader would resume: behind the last event that next() gave.
  [[nodiscard]] const std::string& last_event_id() const;

  // REQUIRES: next() said `stopped` or `over`.
  [[nodiscard]] EventSourceResult result() const;

 private:
  struct Pending {
    std::string type;
    std::string data;
    // Shared with its neighbours: a server names an id once and sends a thousand events after it.
    std::shared_ptr<const std::string> id;
  };

  EventReader() = default;
  std::expected<PulledEvent, NoEvent> next_until(std::chrono::steady_clock::time_point deadline);
  void on_event(const proto::ReceivedEvent& event);

  std::unique_ptr<StreamLoop> loop_;
  std::deque<Pending> pending_;
  std::string taken_id_;  // of the event that was given last
};

}  // namespace tocsin::net
