// A client of event streams: connects, reads, comes back, and resumes where it was
// (HTML Living Standard, 9.2; RFC 9112).
//
// It goes further than a browser's EventSource where a service needs it, and nowhere else:
//   - 429, 502, 503 and 504 are retried, after Retry-After if the server sent one (a browser gives
//     up for good on every status but 200). Every other status but 200 is final, and so is 200 with
//     a content type other than text/event-stream, or with a content coding (gzip), which the
//     request asks not to use.
//   - Failing attempts back off exponentially with jitter (net/client/backoff.h).
//   - A connection without any byte for idle_timeout_ms is given up and made anew.
//   - Any method and a body, which is sent again with every attempt.
// As in a browser: 204 ends it for good; the end of a stream, an error on the connection, a
// malformed response and a name that does not resolve are retried without end, and so is a TLS
// handshake that failed (an expired certificate is renewed one day). Redirects (301, 302, 303, 307,
// 308) are followed, but not from https to http; every attempt starts from the original URL.
//
// EventSource: one stream in the calling thread, which is called back. EventReader
// (net/client/event_reader.h): the same, but the program asks for the next event. EventClient
// (net/client/event_client.h): any number of streams in one thread of its own.
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
#include <vector>

#include "net/client/reconnect_policy.h"
#include "net/client/response_head.h"
#include "net/transport/tls_context.h"
#include "net/transport/waiter.h"
#include "proto/sse/sse_parser.h"

namespace tocsin::net {

class StreamLoop;

struct EventSourceOptions {
  std::string url{};                   // http:// or https://, without a user's name in it
  std::vector<std::string> streams{};  // of a hub: `stream=` for each is added to the URL's query
  std::string last_event_id{};         // where to resume; empty: nothing is sent. No NUL, CR, LF
  // Sent with every request, until a redirect leads to another origin than that of `url` (it must
  // not carry credentials along; Content-Type goes where the body goes). Host, Connection,
  // Content-Length, Transfer-Encoding and Last-Event-ID are the client's own.
  HeaderList headers{};
  // A redirect keeps both, except that 303, and 301 and 302 of a POST, are followed by a GET
  // without body (Fetch standard, HTTP-redirect fetch). A body needs a method other than GET.
  std::string method = "GET";
  std::string body{};
  ReconnectPolicy reconnect_policy{};
  bool reconnect = true;  // false: it is over when the first attempt has ended
  // From the start of an attempt to the end of the response's head, anew for each redirect.
  std::uint32_t connect_timeout_ms = 10'000;
  // Servers send heartbeats every 15 to 25 s: two may be lost. 0: never.
  std::uint32_t idle_timeout_ms = 60'000;
  std::size_t max_event_bytes = std::size_t{16} * 1024 * 1024;  // see proto::SseParser
  std::size_t max_head_bytes = std::size_t{64} * 1024;
  unsigned max_redirects = 5;
  std::shared_ptr<const TlsContext> tls{};  // for https; null: the system's certificates, verified
  std::optional<std::uint64_t> seed{};      // of the jitter; nothing: random
  // Not of EventClient, which has its own. Not owned, must outlive it; null: the system's.
  Waiter* waiter = nullptr;
};

struct StreamOpened {
  const ResponseHead& head;  // valid during the callback
  std::string_view url;      // after redirects
};

struct StreamClosed {
  enum class Reason : std::uint8_t {
    end_of_stream,  // the server closed it
    connection,     // reset, cut, refused, unreachable, name not found
    tls,            // no agreement on TLS, or a certificate that is not accepted
    timeout,        // no connection or no head within connect_timeout_ms
    idle,           // nothing for idle_timeout_ms
    bad_response,   // not HTTP
    refused,        // by its status, its content type or where it redirects to
    limit,          // an event beyond max_event_bytes
  };
  Reason reason;
  std::string_view message;         // as EventSourceResult's; valid during the callback
  bool will_retry;                  // false: it is over
  std::chrono::milliseconds delay;  // until the next attempt
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
  int status = 0;  // of the last response; 0: there was none
  // A sentence for a person; empty if stopped. Of a refusal with what the server said of it, if
  // that is application/problem+json (RFC 9457), as the hub's refusals are.
  std::string message;
};

// All are called in the thread that runs the stream. They may call stop() or unsubscribe(), but not
// destroy what runs them, nor throw: that ends the process. An empty function is skipped.
struct EventSourceCallbacks {
  std::function<void(const StreamOpened&)> on_open{};
  std::function<void(const proto::ReceivedEvent&)> on_event{};
  std::function<void(const StreamClosed&)> on_disconnect{};  // an attempt ended; not after stop()
  std::function<void(const EventSourceResult&)> on_end{};    // the last call; not after stop()
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
  // look-up that is under way is finished first (net/transport/look_up.h). Async-signal-safe.
  void stop() noexcept;

  // Where another EventSource would resume: behind the last event that was delivered.
  [[nodiscard]] const std::string& last_event_id() const;

 private:
  explicit EventSource(std::unique_ptr<StreamLoop> loop);

  std::unique_ptr<StreamLoop> loop_;
  bool was_run_ = false;
};

}  // namespace tocsin::net
