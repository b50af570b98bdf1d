#include "net/client/http_client.h"

#include <algorithm>
#include <initializer_list>
#include <span>
#include <utility>

#include "proto/assert.h"
#include "proto/text/ascii.h"
#include "proto/text/wipe.h"

namespace tocsin::net {
namespace {

using std::chrono::milliseconds;
using Kind = HttpError::Kind;
using State = Transfer::State;

constexpr std::size_t kReadBuffer = std::size_t{64} * 1024;

// Nothing of it stays behind where `out` has to grow: it may have a credential.
void append_request(std::string& out, const HttpRequest& request, const Url& origin) {
  const auto put = [&](std::initializer_list<std::string_view> parts) {
    for (const std::string_view part : parts) proto::append_wiping(out, part);
  };
  const auto add = [&](std::string_view name, std::string_view value) {
    put({name, ": ", value, "\r\n"});
  };
  TOCSIN_ASSERT(proto::is_token(request.method) && !request.method.empty());
  TOCSIN_ASSERT(request.target.starts_with('/') && proto::is_field_value(request.target) &&
                !request.target.contains(' '));
  put({request.method, " ", request.target, " HTTP/1.1\r\n"});
  add("Host", origin.authority());
  for (const HeaderField& field : request.headers) {
    TOCSIN_ASSERT(is_header_field(field));
    add(field.name, field.value);
  }
  const bool may_have_body = request.method != "GET" && request.method != "HEAD";
  if (may_have_body || !request.body.empty()) {
    add("Content-Length", std::to_string(request.body.size()));
  }
  put({"\r\n", request.body});
}

}  // namespace

HttpClient::HttpClient(Url origin, HttpClientOptions options)
    : origin_(std::move(origin)),
      options_(std::move(options)),
      waiter_(options_.waiter != nullptr ? *options_.waiter : system_waiter()),
      reader_({[this](const ResponseHead& head) {
                 response_.head = head;
                 return true;
               },
               [this](std::string_view bytes) {
                 too_large_ = response_.body.size() + bytes.size() > options_.max_body_bytes;
                 if (!too_large_) response_.body.append(bytes);
                 return !too_large_;
               }},
              options_.max_head_bytes),
      buffer_(kReadBuffer) {
  TOCSIN_ASSERT(options_.max_in_flight > 0);
}

HttpClient::~HttpClient() {
  proto::wipe(out_);
}

HttpResult HttpClient::request(const HttpRequest& request) {
  TOCSIN_ASSERT(in_flight_.empty());
  if (is_connected()) {
    // A server may have closed the kept connection meanwhile; handle() notices.
    pollfd fd = poll_request();
    waiter_.wait({&fd, 1}, now());
    const auto none = handle(fd.revents);
    TOCSIN_ASSERT(none.empty());
  }
  if (!is_connected()) {
    if (auto connected = connect(); !connected) {
      return std::unexpected(std::move(connected.error()));
    }
  }
  submit(request, 0);
  while (true) {
    pollfd fd = poll_request();
    waiter_.wait({&fd, 1}, deadline());
    auto outcomes = handle(fd.revents);
    if (!outcomes.empty()) return std::move(outcomes.front().result);
  }
}

std::expected<void, HttpError> HttpClient::connect() {
  TOCSIN_ASSERT(in_flight_.empty());
  const auto deadline = now() + milliseconds(options_.connect_timeout_ms);
  Destination destination{origin_.host, origin_.port, nullptr};
  if (origin_.https) {
    auto tls = tls_for(options_.tls);
    if (!tls) return std::unexpected(HttpError{Kind::connect, false, std::move(tls.error())});
    destination.tls = std::move(*tls);
  }
  auto socket = connect_blocking(std::move(destination), deadline, waiter_);
  if (!socket) {
    return std::unexpected(HttpError{Kind::connect, false, std::move(socket.error().message)});
  }
  adopt(std::move(*socket));
  return {};
}

void HttpClient::adopt(ClientSocket socket) {
  TOCSIN_ASSERT(in_flight_.empty());
  socket_ = std::move(socket);
  proto::wipe(out_);
  out_offset_ = 0;
  sent_ = 0;
  send_failed_ = false;
}

bool HttpClient::can_submit() const {
  return in_flight_.size() < options_.max_in_flight &&
         out_.size() - out_offset_ < options_.max_pending_bytes;
}

void HttpClient::submit(const HttpRequest& request, std::uint64_t tag) {
  TOCSIN_ASSERT(is_connected() && can_submit());
  if (out_offset_ == out_.size()) {
    out_.clear();
    out_offset_ = 0;
  }
  append_request(out_, request, origin_);
  in_flight_.push_back({tag, sent_ + (out_.size() - out_offset_), request.method == "HEAD"});
  if (in_flight_.size() == 1) await_next_response();
}

pollfd HttpClient::poll_request() const {
  const bool sending = !send_failed_ && out_offset_ < out_.size();
  return {socket_.fd(), socket_.events(sending), 0};
}

TimePoint HttpClient::deadline() const {
  if (in_flight_.empty()) return kNever;
  return oldest_since_ + milliseconds(options_.response_timeout_ms);
}

std::vector<HttpClient::Outcome> HttpClient::handle(short revents) {
  std::vector<Outcome> outcomes;
  if (!is_connected()) return outcomes;
  if (revents != 0) {  // both: with TLS either may have waited for the other's direction
    flush();
    receive(outcomes);
  }
  if (now() >= deadline()) {
    fail_all(Kind::timeout, "the server did not answer in time", outcomes);
  }
  TOCSIN_ASSERT(is_connected() || in_flight_.empty());
  return outcomes;
}

void HttpClient::flush() {
  while (!send_failed_ && out_offset_ < out_.size()) {
    const Transfer sent = socket_.send(std::string_view(out_).substr(out_offset_));
    if (sent.state == State::would_block) break;
    // Not the end yet: a server that refuses a body answers, then closes. What it said is read
    // first; the end of the stream or its error follows.
    send_failed_ = sent.state != State::moved;
    out_offset_ += sent.bytes;
    sent_ += sent.bytes;
  }
  TOCSIN_ASSERT(out_offset_ <= out_.size());
  if (out_offset_ == out_.size()) proto::wipe(std::span<char>(out_));  // credentials
  // Half sent: drop what is, or a pipeline that never drains would grow for ever.
  if (out_offset_ > options_.max_pending_bytes) {
    std::string unsent = out_.substr(out_offset_);
    out_.swap(unsent);
    proto::wipe(unsent);
    out_offset_ = 0;
  }
}

// A server that never stops, with interim responses say, must not keep its caller from others.
void HttpClient::receive(std::vector<Outcome>& outcomes) {
  constexpr int kMostReads = 64;
  for (int reads = 0; is_connected(); ++reads) {
    const bool is_over = now() >= deadline();
    if (is_over || (reads >= kMostReads && !socket_.has_buffered())) return;
    const Transfer got = socket_.receive(buffer_);
    switch (got.state) {
      case State::moved:
        feed({buffer_.data(), got.bytes}, outcomes);
        // A short read emptied the socket; the next poll says when there is more.
        if (got.bytes < buffer_.size() && !socket_.has_buffered()) return;
        break;
      case State::would_block:
        return;
      case State::ended:
        on_end(outcomes);
        return;
      case State::failed:
        fail_all(Kind::closed, std::string(socket_.error()), outcomes);
        return;
    }
  }
}

void HttpClient::on_end(std::vector<Outcome>& outcomes) {
  // Where the answer's end is the connection's end, this completes it.
  if (!reader_.mid_message() || reader_.finish() != ResponseReader::State::message_complete) {
    fail_all(Kind::closed, "the server closed the connection without an answer", outcomes);
  } else if (!socket_.ended_properly()) {
    fail_all(Kind::closed, "the answer may be cut: TLS ended without a close_notify", outcomes);
  } else {
    on_response(outcomes);
  }
}

void HttpClient::feed(std::string_view bytes, std::vector<Outcome>& outcomes) {
  while (!bytes.empty() && is_connected()) {
    if (in_flight_.empty()) {
      socket_.close();  // an answer to nothing
      return;
    }
    const auto step = reader_.feed(bytes);
    bytes.remove_prefix(step.consumed);
    if (step.state == ResponseReader::State::message_complete) {
      on_response(outcomes);
    } else if (step.state == ResponseReader::State::failed) {
      if (too_large_) {
        fail_all(Kind::too_large, "the server's answer is too large", outcomes);
      } else {
        fail_all(Kind::malformed, "not a valid HTTP response: " + reader_.error(), outcomes);
      }
    }
  }
}

void HttpClient::on_response(std::vector<Outcome>& outcomes) {
  TOCSIN_ASSERT(!in_flight_.empty());
  outcomes.push_back({in_flight_.front().tag, std::exchange(response_, {})});
  in_flight_.pop_front();
  if (!reader_.keep_alive()) {
    fail_all(Kind::closed, "the server closed the connection", outcomes, true);
  } else if (!in_flight_.empty()) {
    await_next_response();
  }
}

void HttpClient::await_next_response() {
  reader_.begin(in_flight_.front().to_head);
  response_ = {};
  too_large_ = false;
  oldest_since_ = now();
}

void HttpClient::fail_all(Kind kind, const std::string& message, std::vector<Outcome>& outcomes,
                          bool later_ones_unprocessed) {
  for (const InFlight& request : in_flight_) {
    const bool maybe_sent = !later_ones_unprocessed && request.end <= sent_;
    outcomes.push_back({request.tag, std::unexpected(HttpError{kind, maybe_sent, message})});
  }
  in_flight_.clear();
  socket_.close();
  proto::wipe(out_);
  out_offset_ = 0;
}

}  // namespace tocsin::net
