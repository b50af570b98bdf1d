#include "net/client/event_stream.h"

#include <algorithm>
#include <random>
#include <utility>

#include "net/client/problem.h"
#include "proto/assert.h"
#include "proto/text/ascii.h"

namespace tocsin::net {

using std::chrono::milliseconds;
using End = EventSourceResult::End;
using Reason = StreamClosed::Reason;

namespace {

// Of a refusal's body, which is for a person: more is not read.
constexpr std::size_t kMaxRefusal = 4096;

bool is_retryable(int status) {
  return status == 429 || status == 502 || status == 503 || status == 504;
}

// noexcept: below a callback lie llhttp, which is C, and half a step of this machine. An exception
// ends the process where it was thrown instead.
template <typename Function, typename Argument>
void call_back(const Function& function, const Argument& argument) noexcept {
  if (function) function(argument);
}

}  // namespace

EventStream::EventStream(EventSourceOptions options, EventSourceCallbacks callbacks, Url url,
                         const std::atomic<bool>& stopping, Waiter& waiter)
    : options_(std::move(options)),
      callbacks_(std::move(callbacks)),
      stopping_(stopping),
      waiter_(waiter),
      request_(options_, std::move(url)),
      backoff_(options_.reconnect_policy, options_.seed ? *options_.seed : std::random_device()()),
      parser_([this](const proto::ReceivedEvent& event) { on_event(event); },
              options_.max_event_bytes),
      reader_({[this](const ResponseHead& head) { return on_head(head); },
               [this](std::string_view bytes) { return on_body(bytes); }},
              options_.max_head_bytes),
      last_event_id_(options_.last_event_id),
      deadline_(waiter.now()) {
  parser_.set_last_event_id(last_event_id_);
}

EventStream::AttemptEnd EventStream::refused(std::string message) {
  return {.reason = Reason::refused, .message = std::move(message), .final_end = End::refused};
}

const Url* EventStream::wants_addresses() const {
  return state_ == State::look_up ? &request_.url() : nullptr;
}

pollfd EventStream::poll_request() const {
  if (state_ == State::connect) return connector_->poll_request();
  if (state_ != State::exchange) return {-1, 0, 0};
  return {socket_.fd(), socket_.events(!send_failed_ && out_offset_ < out_.size()), 0};
}

std::uint64_t EventStream::socket_serial() const {
  return (connectors_ << 16) + (connector_ ? connector_->tried() : 0);
}

TimePoint EventStream::deadline() const {
  if (state_ == State::over) return kNever;
  return state_ == State::connect ? std::min(deadline_, connector_->deadline()) : deadline_;
}

void EventStream::handle(short revents, std::span<char> buffer) {
  switch (state_) {
    case State::pause:
      if (waiter_.now() >= deadline_) begin_attempt();
      break;
    case State::look_up:
      if (waiter_.now() >= deadline_) {
        fail({SocketError::Kind::timeout, "the look-up of " + request_.url().host + " timed out"});
      }
      break;
    case State::connect:
      advance_connect(revents);
      break;
    case State::exchange:
      exchange(buffer);
      break;
    case State::over:
      break;
  }
}

void EventStream::begin_attempt() {
  request_.restart();
  begin_look_up();
}

void EventStream::begin_look_up() {
  TOCSIN_ASSERT(!socket_.is_open() && !connector_);
  state_ = State::look_up;
  ++look_up_serial_;
  deadline_ = waiter_.now() + milliseconds(options_.connect_timeout_ms);
  streaming_ = false;
  result_.status = 0;
  verdict_.reset();
  refusal_.clear();
  const Url& url = request_.url();
  if (auto literal = parse_literal(url.host, url.port)) begin_connect(std::move(*literal));
}

void EventStream::on_addresses(std::uint64_t serial, LookUpResult result) {
  if (state_ != State::look_up || serial != look_up_serial_ || stopping()) return;
  if (!result) {
    fail(std::move(result.error()));
  } else {
    begin_connect(std::move(*result));
  }
}

void EventStream::begin_connect(Addresses addresses) {
  TOCSIN_ASSERT(state_ == State::look_up);
  const Url& url = request_.url();
  Destination destination{url.host, url.port, nullptr};
  if (url.https) {
    auto tls = tls_for(options_.tls);
    if (!tls) return fail({SocketError::Kind::tls, std::move(tls.error())});
    destination.tls = std::move(*tls);
  }
  state_ = State::connect;
  ++connectors_;
  connector_.emplace(std::move(addresses), std::move(destination), deadline_);
  advance_connect(0);
}

void EventStream::advance_connect(short revents) {
  auto connected = connector_->advance(revents, waiter_.now());
  if (!connected) return;
  if (!*connected) {
    fail(std::move(connected->error()));
  } else {
    begin_exchange(std::move(**connected));
  }
}

void EventStream::begin_exchange(ClientSocket socket) {
  TOCSIN_ASSERT(state_ == State::connect && socket.is_open());
  state_ = State::exchange;
  socket_ = std::move(socket);
  connector_.reset();
  reader_.begin();
  out_ = request_.bytes(last_event_id_);
  out_offset_ = 0;
  send_failed_ = false;
  send();
}

void EventStream::exchange(std::span<char> buffer) {
  send();
  const std::uint64_t serial = look_up_serial_;
  do {
    receive(buffer);
  } while (state_ == State::exchange && serial == look_up_serial_ && socket_.has_buffered() &&
           !stopping());
  if (state_ != State::exchange || serial != look_up_serial_ || stopping()) return;
  if (waiter_.now() < deadline_) return;
  if (verdict_) return end_as_refused();
  if (!streaming_) return fail({SocketError::Kind::timeout, "the server did not answer in time"});
  const auto idle_s = std::to_string(options_.idle_timeout_ms / 1000);
  end_attempt({.reason = Reason::idle, .message = "nothing received for " + idle_s + " s"});
}

void EventStream::send() {
  while (!send_failed_ && out_offset_ < out_.size()) {
    const Transfer sent = socket_.send(std::string_view(out_).substr(out_offset_));
    if (sent.state == Transfer::State::would_block) return;
    // Not the end yet: a server that refuses a body answers, then closes. What it said is read
    // first; the end of the connection or its error follows.
    send_failed_ = sent.state != Transfer::State::moved;
    out_offset_ += sent.bytes;
  }
  if (!out_.empty()) out_ = {};  // a stream may live for months
  out_offset_ = 0;
}

void EventStream::receive(std::span<char> buffer) {
  const Transfer got = socket_.receive(buffer);
  switch (got.state) {
    case Transfer::State::moved:
      on_bytes({buffer.data(), got.bytes});
      break;
    case Transfer::State::would_block:
      break;
    case Transfer::State::ended:
      on_end_of_connection();
      break;
    case Transfer::State::failed:
      if (verdict_) return end_as_refused();
      end_attempt({.reason = Reason::connection, .message = socket_.error()});
      break;
  }
}

void EventStream::on_bytes(std::string_view bytes) {
  switch (reader_.feed(bytes).state) {
    case ResponseReader::State::need_more:
      if (streaming_) set_deadline_of_silence();
      break;
    case ResponseReader::State::message_complete:
      if (verdict_) return end_as_refused();
      end_attempt({.message = "the server ended the stream"});
      break;
    case ResponseReader::State::failed:
      on_reader_stopped();
      break;
  }
}

void EventStream::set_deadline_of_silence() {
  deadline_ = options_.idle_timeout_ms == 0
                  ? kNever
                  : waiter_.now() + milliseconds(options_.idle_timeout_ms);
}

// A stream that is as long as its connection may end so; TLS's close_notify, without which somebody
// on the way could have ended it, changes nothing: the client comes back in either case.
void EventStream::on_end_of_connection() {
  if (verdict_) return end_as_refused();
  const bool silent = !reader_.mid_message();
  const bool whole = reader_.finish() == ResponseReader::State::message_complete;
  if (streaming_ && whole) {
    end_attempt({.message = "the server ended the stream"});
  } else if (streaming_) {
    end_attempt({.reason = Reason::connection,
                 .message = "the connection ended in the middle of the stream"});
  } else {
    end_attempt({.reason = Reason::bad_response,
                 .message = silent
                                ? "the server closed the connection without an answer"
                                : "the server closed the connection in the middle of its answer"});
  }
}

// By on_head or on_body, or because what came is no HTTP.
void EventStream::on_reader_stopped() {
  if (stopping()) {
    end_attempt({});
  } else if (std::exchange(redirected_, false)) {
    socket_.close();
    begin_look_up();
  } else if (verdict_) {
    end_as_refused();
  } else {
    end_attempt({.reason = Reason::bad_response,
                 .message = "not a valid HTTP response: " + reader_.error()});
  }
}

// False: the response is not to be read further; verdict_ or redirected_ says what it is. True with
// a verdict_: what follows says more of it.
bool EventStream::on_head(const ResponseHead& head) {
  result_.status = head.status;
  const std::string status = "status " + std::to_string(head.status);
  const std::string coding = proto::to_lower(head.header("Content-Encoding"));
  const bool coded = !coding.empty() && coding != "identity";
  if (head.status == 200 && head.media_type() == "text/event-stream" && !coded) {
    streaming_ = true;
    comments_before_ = parser_.comments();
    const std::string url = request_.url().to_string();
    if (!stopping()) call_back(callbacks_.on_open, StreamOpened{head, url});
    return !stopping();
  }
  if (head.status == 200 && coded) {
    verdict_ = refused("the content is coded, which was not asked for: " + coding);
  } else if (head.status == 200) {
    verdict_ = refused("not an event stream: the content type is " +
                       (head.media_type().empty() ? "missing" : head.media_type()));
  } else if (head.status == 204) {
    verdict_ = {.reason = Reason::refused,
                .message = "the server wants no reconnection (status 204)",
                .final_end = End::no_content};
  } else if (is_redirect(head.status)) {
    const auto followed = request_.redirect(head.status, head.header("Location"));
    redirected_ = followed.has_value();
    if (!followed) verdict_ = refused(followed.error());
  } else {
    verdict_ = refused("the server answered with " + status);
    if (is_retryable(head.status)) {
      const auto after =
          parse_retry_after(head.header("Retry-After"), std::chrono::system_clock::now());
      verdict_->retry_after = after.value_or(milliseconds(0));
      verdict_->final_end.reset();
    }
    return head.media_type() == kProblemType && !stopping();
  }
  return false;
}

bool EventStream::on_body(std::string_view bytes) {
  if (stopping()) return false;
  TOCSIN_ASSERT(streaming_ != verdict_.has_value());  // a stream's bytes, or a refusal's words
  if (verdict_) {
    refusal_.append(bytes.substr(0, kMaxRefusal - refusal_.size()));
    return refusal_.size() < kMaxRefusal;
  }
  const bool fits = parser_.feed(bytes);
  // A stop() in the middle leaves events undelivered: the id must not be moved past them.
  if (!stopping()) last_event_id_ = parser_.last_event_id();
  if (parser_.comments() != comments_before_) backoff_.on_alive();
  if (!fits) {
    verdict_ = {
        .reason = Reason::limit,
        .message = "an event is larger than " + std::to_string(options_.max_event_bytes) + " bytes",
        .final_end = End::limit};
  }
  return fits;
}

void EventStream::on_event(const proto::ReceivedEvent& event) {
  if (stopping()) return;
  backoff_.on_alive();
  last_event_id_ = event.last_event_id;
  call_back(callbacks_.on_event, event);
}

void EventStream::fail(SocketError error) {
  Reason reason = Reason::connection;
  if (error.kind == SocketError::Kind::timeout) reason = Reason::timeout;
  if (error.kind == SocketError::Kind::tls) reason = Reason::tls;
  end_attempt({.reason = reason, .message = std::move(error.message)});
}

void EventStream::end_as_refused() {
  TOCSIN_ASSERT(verdict_.has_value());
  const std::string detail = read_problem(std::exchange(refusal_, {})).detail;
  if (!detail.empty()) verdict_->message.append(": ").append(detail);
  end_attempt(std::move(*verdict_));
}

void EventStream::end_attempt(AttemptEnd end) {
  TOCSIN_ASSERT(state_ != State::over && state_ != State::pause);
  socket_.close();
  connector_.reset();
  out_ = {};
  parser_.end_of_stream();
  state_ = State::over;
  if (stopping()) return;
  if (!end.final_end && !options_.reconnect) end.final_end = End::disconnected;
  milliseconds delay{0};
  if (!end.final_end) {
    if (const auto retry_ms = parser_.retry_ms()) backoff_.set_retry(milliseconds(*retry_ms));
    delay = std::max(backoff_.next(), end.retry_after);
    deadline_ = waiter_.now() + delay;
    state_ = State::pause;
  }
  call_back(callbacks_.on_disconnect, StreamClosed{end.reason, end.message, !end.final_end, delay});
  if (!end.final_end || stopping()) return;
  result_.end = *end.final_end;
  result_.message = std::move(end.message);
  call_back(callbacks_.on_end, result_);
}

}  // namespace tocsin::net
