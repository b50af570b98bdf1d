// One event stream as a state machine that never blocks: what EventSource and EventClient drive.
#pragma once

#include <poll.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "net/client/backoff.h"
#include "net/client/event_request.h"
#include "net/client/event_source.h"
#include "net/client/response_reader.h"
#include "net/transport/client_socket.h"
#include "net/transport/resolver.h"
#include "net/transport/url.h"
#include "net/transport/waiter.h"
#include "proto/assert.h"
#include "proto/sse/sse_parser.h"

namespace tocsin::net {

// look_up → connect → exchange (send the request, read the response) → pause → look_up ...; over at
// the end. A redirect leads from exchange to look_up.
//
// Not thread-safe. The driver:
//   while (!stream.is_over()) {
//     if (auto* url = stream.wants_addresses()) { ... stream.on_addresses(serial, look_up(...)); }
//     wait for stream.poll_request() until stream.deadline();
//     stream.handle(revents, buffer);
//   }
class EventStream {
 public:
  // `url`: what check_options(options) returned. `stopping`, `waiter` (only its clock is used) and
  // what the callbacks refer to must outlive it. Once `stopping` is true nothing is called back and
  // last_event_id() stays.
  EventStream(EventSourceOptions options, EventSourceCallbacks callbacks, Url url,
              const std::atomic<bool>& stopping, Waiter& waiter);
  EventStream(const EventStream&) = delete;
  EventStream& operator=(const EventStream&) = delete;

  // Set while a look-up is wanted whose answer on_addresses() takes. Literals are not looked up.
  [[nodiscard]] const Url* wants_addresses() const;
  // Names the look-up; an answer to an earlier one (which timed out meanwhile) is dropped.
  [[nodiscard]] std::uint64_t look_up_serial() const { return look_up_serial_; }
  void on_addresses(std::uint64_t serial, LookUpResult result);

  // What to wait for; its descriptor is -1 where only time matters.
  [[nodiscard]] pollfd poll_request() const;
  // Changes with the descriptor: a number may be given to another socket at once.
  [[nodiscard]] std::uint64_t socket_serial() const;
  [[nodiscard]] TimePoint deadline() const;

  // Goes on as far as possible; receives at most one `buffer` (and what TLS has decrypted).
  // `revents`: what poll reported, 0 at first and when the deadline passed.
  void handle(short revents, std::span<char> buffer);

  [[nodiscard]] bool is_over() const { return state_ == State::over; }
  // REQUIRES: is_over(), or `stopping` is true.
  [[nodiscard]] const EventSourceResult& result() const {
    TOCSIN_ASSERT(is_over() || stopping());
    return result_;
  }
  [[nodiscard]] const std::string& last_event_id() const { return last_event_id_; }

 private:
  enum class State : std::uint8_t { look_up, connect, exchange, pause, over };

  // How an attempt ended. `final_end`: set if no other attempt may follow.
  struct AttemptEnd {
    StreamClosed::Reason reason = StreamClosed::Reason::end_of_stream;
    std::string message{};
    std::optional<EventSourceResult::End> final_end{};
    std::chrono::milliseconds retry_after{0};  // the server's wish, a floor for the delay
  };
  static AttemptEnd refused(std::string message);

  [[nodiscard]] bool stopping() const { return stopping_.load(std::memory_order_acquire); }
  void begin_attempt();
  void begin_look_up();
  void begin_connect(Addresses addresses);
  void advance_connect(short revents);
  void begin_exchange(ClientSocket socket);
  void exchange(std::span<char> buffer);
  void send();
  void receive(std::span<char> buffer);
  void on_bytes(std::string_view bytes);
  void on_end_of_connection();
  void on_reader_stopped();
  bool on_head(const ResponseHead& head);
  bool on_body(std::string_view bytes);
  void on_event(const proto::ReceivedEvent& event);
  void set_deadline_of_silence();
  void fail(SocketError error);
  void end_as_refused();
  void end_attempt(AttemptEnd end);

  const EventSourceOptions options_;
  const EventSourceCallbacks callbacks_;
  const std::atomic<bool>& stopping_;
  Waiter& waiter_;
  EventRequest request_;
  Backoff backoff_;
  proto::SseParser parser_;
  ResponseReader reader_;
  std::string last_event_id_;

  State state_ = State::pause;  // before the first attempt: a pause that is over
  TimePoint deadline_{};
  std::uint64_t look_up_serial_ = 0;
  std::uint64_t connectors_ = 0;        // made so far
  std::optional<Connector> connector_;  // in state connect
  ClientSocket socket_;                 // in state exchange
  std::string out_;                     // the request
  std::size_t out_offset_ = 0;          // how much of it is sent
  bool send_failed_ = false;            // the server reads no more; it may still have answered
  bool streaming_ = false;              // a stream's head was accepted
  std::uint64_t comments_before_ = 0;   // the parser's count when the stream began
  bool redirected_ = false;             // on_head stopped the reader to follow a redirect
  std::optional<AttemptEnd> verdict_;   // why on_head or on_body stopped the reader, or refusal_
  std::string refusal_;                 // the body that says more of the verdict, as far as it came
  EventSourceResult result_;
};

}  // namespace tocsin::net
