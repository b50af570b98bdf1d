// A small HTTP/1.1 client for one server: requests one at a time or pipelined over one connection
// (RFC 9112, 9.3).
#pragma once

#include <poll.h>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <expected>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "net/client/response_reader.h"
#include "net/transport/client_socket.h"
#include "net/transport/url.h"
#include "net/transport/waiter.h"

namespace tocsin::net {

struct HttpRequest {
  // REQUIRES: a token (RFC 9110, 9.1).
  std::string method = "GET";
  // In origin form. REQUIRES: it begins with '/', and has neither blanks nor control characters.
  std::string target = "/";
  // Besides Host and Content-Length, which the client writes. REQUIRES: is_header_field(each).
  HeaderList headers;
  std::string body;
};

struct HttpResponse {
  ResponseHead head;
  std::string body;
};

struct HttpError {
  enum class Kind : std::uint8_t {
    connect,    // no connection: not resolved, refused, unreachable, timed out, no TLS
    closed,     // the server closed or reset the connection before it answered
    timeout,    // no whole answer within response_timeout_ms
    malformed,  // not an HTTP response
    too_large,  // the answer's head or body is beyond the limit
  };
  Kind kind = Kind::closed;
  // The whole request may have reached the server, so it may have acted on it. False: it has not,
  // and the request may be sent again (RFC 9110, 9.2.2): the request's last byte was not handed to
  // the kernel, or the server had closed the connection with an answer to an earlier request
  // (RFC 9112, 9.6: it must not process later ones).
  bool maybe_sent = false;
  std::string message;  // a short sentence for a person
};

using HttpResult = std::expected<HttpResponse, HttpError>;

struct HttpClientOptions {
  std::size_t max_in_flight = 64;
  // Bytes of requests that wait for the kernel; one request may be larger.
  std::size_t max_pending_bytes = std::size_t{1024} * 1024;
  std::size_t max_head_bytes = std::size_t{64} * 1024;
  std::size_t max_body_bytes = std::size_t{4} * 1024 * 1024;
  std::uint32_t connect_timeout_ms = 10'000;
  // From the moment that a request is the oldest unanswered one to the end of its answer.
  std::uint32_t response_timeout_ms = 30'000;
  std::shared_ptr<const TlsContext> tls;  // for https; null: the system's certificates, verified
  Waiter* waiter = nullptr;               // not owned, must outlive the client; null: the system's
};

// Not thread-safe; no thread of its own. Interim responses are skipped. Redirects are answers like
// any other.
//
// Pipelined use, in the caller's own poll loop:
//   if (!client.is_connected()) client.connect();
//   while (client.can_submit() && have_work) client.submit(request, tag);
//   waiter.wait({client.poll_request(), ...}, client.deadline());
//   for (auto& outcome : client.handle(revents)) ...
class HttpClient {
 public:
  // What became of one submitted request.
  struct Outcome {
    std::uint64_t tag;
    HttpResult result;
  };

  // `origin`'s scheme, host and port are used, its target is not.
  explicit HttpClient(Url origin, HttpClientOptions options = {});
  ~HttpClient();
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  // Sends one request and waits for its answer. Keeps the connection for the next one; connects
  // (again) where there is none. REQUIRES: in_flight() == 0.
  [[nodiscard]] HttpResult request(const HttpRequest& request);

  // Blocks until there is a connection (at most connect_timeout_ms, see connect_blocking).
  [[nodiscard]] std::expected<void, HttpError> connect();
  // Goes on over a connection that its caller has made, to the server of `origin`.
  // REQUIRES: in_flight() == 0.
  void adopt(ClientSocket socket);
  [[nodiscard]] bool is_connected() const { return socket_.is_open(); }

  [[nodiscard]] bool can_submit() const;
  // Queues a request; handle() sends it. REQUIRES: is_connected() and can_submit().
  void submit(const HttpRequest& request, std::uint64_t tag);
  [[nodiscard]] std::size_t in_flight() const { return in_flight_.size(); }

  // What to wait for; its descriptor is -1 while there is no connection.
  [[nodiscard]] pollfd poll_request() const;
  // When to call handle() at the latest; kNever while nothing is in flight.
  [[nodiscard]] TimePoint deadline() const;

  // Sends and receives what is possible without waiting. The outcomes are in the order of the
  // requests, each tag once. After a failure the connection is closed and every request has its
  // outcome. `revents`: what poll reported, 0 if the deadline passed.
  [[nodiscard]] std::vector<Outcome> handle(short revents);

 private:
  struct InFlight {
    std::uint64_t tag;
    std::uint64_t end;  // position of the request's end in everything sent on this connection
    bool to_head;
  };

  void flush();
  void on_end(std::vector<Outcome>& outcomes);
  void receive(std::vector<Outcome>& outcomes);
  void feed(std::string_view bytes, std::vector<Outcome>& outcomes);
  void on_response(std::vector<Outcome>& outcomes);
  void await_next_response();
  void fail_all(HttpError::Kind kind, const std::string& message, std::vector<Outcome>& outcomes,
                bool later_ones_unprocessed = false);
  [[nodiscard]] TimePoint now() const { return waiter_.now(); }

  Url origin_;
  HttpClientOptions options_;
  Waiter& waiter_;
  ClientSocket socket_;
  std::string out_;             // bytes of requests from position sent_ on
  std::uint64_t sent_ = 0;      // bytes handed to the kernel on this connection
  std::size_t out_offset_ = 0;  // how much of out_ is sent
  bool send_failed_ = false;    // the server reads no more; it may still have answered
  std::deque<InFlight> in_flight_;
  TimePoint oldest_since_;  // when the front of in_flight_ became the front
  HttpResponse response_;   // the one that is being read
  bool too_large_ = false;
  ResponseReader reader_;
  std::vector<char> buffer_;
};

}  // namespace tocsin::net
