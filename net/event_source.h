// A client of event streams: connects, reads, comes back, and resumes where it was
// (HTML Living Standard, 9.2; RFC 9112).
//
// It goes further than a browser's EventSource where a service needs it, and nowhere else:
//   - 429, 502, 503 and 504 are retried, after Retry-After if the server sent one (a browser gives
//     up for good on every status but 200). Every other status but 200 is final, and so is 200 with
//     a content type other than text/event-stream.
//   - Failing attempts back off exponentially with jitter (net/backoff.h).
//   - A connection without any byte for idle_timeout_ms is given up and made anew.
// As in a browser: 204 ends it for good; the end of a stream, an error on the connection, a
// malformed response and a name that does not resolve are retried without end; redirects (301, 302,
// 303, 307, 308) are followed within http, and every attempt starts from the original URL.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "net/backoff.h"
#include "net/response_reader.h"
#include "net/waiter.h"
#include "proto/sse_parser.h"

namespace tocsin::net {

struct EventSourceOptions {
  std::string url;            // http://
  std::string last_event_id;  // where to resume; empty: nothing is sent. No NUL, CR, LF
  // Sent with every request, to the origin of `url` only (a redirect elsewhere must not carry
  // credentials along). Host, Connection, Content-Length, Transfer-Encoding and Last-Event-ID are
  // the client's own.
  HeaderList headers;
  ReconnectPolicy reconnect_policy;
  bool reconnect = true;  // false: run() returns when the first attempt has ended
  // From the start of an attempt to the end of the response's head, anew for each redirect.
  std::uint32_t connect_timeout_ms = 10'000;
  // Servers send heartbeats every 15 to 25 s: two may be lost. 0: never.
  std::uint32_t idle_timeout_ms = 60'000;
  std::size_t max_event_bytes = 16U * 1024 * 1024;  // see proto::SseParser
  std::size_t max_head_bytes = 64U * 1024;
  unsigned max_redirects = 5;
  std::optional<std::uint64_t> seed;  // of the jitter; nothing: random
  Waiter* waiter = nullptr;           // not owned, must outlive the EventSource; null: the system's
};

struct StreamOpened {
  const ResponseHead& head;  // valid during the callback
  std::string_view url;      // after redirects
};

struct StreamClosed {
  enum class Reason : std::uint8_t {
    end_of_stream,  // the server closed it
    connection,     // reset, refused, unreachable, name not found
    timeout,        // no connection or no head within connect_timeout_ms
    idle,           // nothing for idle_timeout_ms
    bad_response,   // not HTTP
    refused,        // by its status, its content type or where it redirects to
    limit,          // an event beyond max_event_bytes
  };
  Reason reason;
  std::string_view message;         // a short sentence for a person; valid during the callback
  bool will_retry;                  // false: run() is about to return
  std::chrono::milliseconds delay;  // until the next attempt
};

// All are called in run()'s thread and may call stop(), but not destroy the EventSource nor throw.
// An empty function is skipped.
struct EventSourceCallbacks {
  std::function<void(const StreamOpened&)> on_open;
  std::function<void(const proto::ReceivedEvent&)> on_event;
  std::function<void(const StreamClosed&)> on_disconnect;  // an attempt ended; not after stop()
};

struct EventSourceResult {
  enum class End : std::uint8_t {
    stopped,       // stop()
    no_content,    // 204: the server wants no reconnection
    refused,       // a final status, content type or redirect
    limit,         // an event beyond max_event_bytes; a reconnect would meet it again
    disconnected,  // only without `reconnect`: the attempt ended in any other way
  };
  End end = End::stopped;
  int status = 0;       // of the last response; 0: there was none
  std::string message;  // a short sentence for a person; empty if stopped
};

// Thread-safety: run() in one thread; stop() from any thread and from signal handlers; the rest
// before run() or after it. No thread of its own; any number of them in one process. Descriptors:
// an eventfd, and a socket while connected.
class EventSource {
 public:
  // The error says in words which option is wrong, or that there is no descriptor left.
  [[nodiscard]] static std::expected<std::unique_ptr<EventSource>, std::string> create(
      EventSourceOptions options, EventSourceCallbacks callbacks);
  ~EventSource();
  EventSource(const EventSource&) = delete;
  EventSource& operator=(const EventSource&) = delete;

  // Blocks until stop() or a final failure. REQUIRES: called once.
  [[nodiscard]] EventSourceResult run();

  // Makes run() return soon, also one that has not begun; no event is delivered afterwards. A name
  // look-up that is under way is finished first (net/client_socket.h). Async-signal-safe.
  void stop() noexcept;

  // Where another EventSource would resume: behind the last event that was delivered.
  [[nodiscard]] const std::string& last_event_id() const;

 private:
  class Impl;
  explicit EventSource(std::unique_ptr<Impl> impl);

  std::unique_ptr<Impl> impl_;
};

}  // namespace tocsin::net
