#include "net/event_source.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <random>
#include <system_error>
#include <utility>
#include <vector>

#include "net/client_socket.h"
#include "net/url.h"
#include "proto/assert.h"

namespace tocsin::net {
namespace {

using std::chrono::milliseconds;
using End = EventSourceResult::End;
using Reason = StreamClosed::Reason;

constexpr std::size_t kReadBuffer = 64U * 1024;

// How an attempt ended. `final_end`: set if no other attempt may follow.
struct AttemptEnd {
  Reason reason = Reason::end_of_stream;
  std::string message;
  std::optional<End> final_end;
  milliseconds retry_after{0};  // the server's wish, a floor for the delay
};

std::string lower(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  return out;
}

bool is_own_header(std::string_view name) {
  static constexpr std::array<std::string_view, 5> kOwn{"host", "connection", "content-length",
                                                        "transfer-encoding", "last-event-id"};
  return std::ranges::find(kOwn, lower(name)) != kOwn.end();
}

bool has_header(const HeaderList& headers, std::string_view lower_name) {
  return std::ranges::any_of(headers,
                             [&](const HeaderField& f) { return lower(f.name) == lower_name; });
}

bool is_redirect(int status) {
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

bool is_retryable(int status) {
  return status == 429 || status == 502 || status == 503 || status == 504;
}

AttemptEnd refused(std::string message) {
  return {Reason::refused, std::move(message), End::refused, milliseconds(0)};
}

AttemptEnd socket_failed(const SocketError& error) {
  const bool timeout = error.kind == SocketError::Kind::timeout;
  return {timeout ? Reason::timeout : Reason::connection, error.message, {}, milliseconds(0)};
}

std::optional<std::string> find_fault(const EventSourceOptions& options) {
  if (options.last_event_id.find_first_of(std::string_view("\0\r\n", 3)) != std::string::npos) {
    return "the last event id contains NUL, CR or LF";
  }
  for (const HeaderField& field : options.headers) {
    if (!is_header_field(field)) return "not a header field: " + field.name;
    if (is_own_header(field.name)) return "the header field " + field.name + " cannot be set";
  }
  if (options.reconnect_policy.initial_min_ms > options.reconnect_policy.initial_max_ms) {
    return "the reconnection range is empty";
  }
  return std::nullopt;
}

}  // namespace

class EventSource::Impl {
 public:
  Impl(EventSourceOptions options, EventSourceCallbacks callbacks, Url url, int wake_fd)
      : options_(std::move(options)),
        callbacks_(std::move(callbacks)),
        url_(std::move(url)),
        wake_fd_(wake_fd),
        waiter_(options_.waiter != nullptr ? *options_.waiter : system_waiter()),
        backoff_(options_.reconnect_policy,
                 options_.seed ? *options_.seed : std::random_device()()),
        parser_([this](const proto::ReceivedEvent& event) { on_event(event); },
                options_.max_event_bytes),
        buffer_(kReadBuffer),
        last_event_id_(options_.last_event_id) {
    parser_.set_last_event_id(last_event_id_);
  }
  ~Impl() { ::close(wake_fd_); }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  EventSourceResult run();
  void stop() noexcept;
  [[nodiscard]] const std::string& last_event_id() const { return last_event_id_; }

 private:
  [[nodiscard]] bool stopping() const { return stopping_.load(std::memory_order_acquire); }
  [[nodiscard]] WaitContext context() { return {waiter_, wake_fd_}; }

  AttemptEnd attempt();
  AttemptEnd request(const Url& url, std::optional<Url>& redirect);
  AttemptEnd read_response(ClientSocket& socket, const Url& url, TimePoint head_deadline,
                           std::optional<Url>& redirect);
  AttemptEnd end_of_connection(ResponseReader& reader);
  AttemptEnd reader_failed(const ResponseReader& reader);
  bool on_head(const ResponseHead& head, const Url& url, std::optional<Url>& redirect);
  bool on_body(std::string_view bytes);
  void on_event(const proto::ReceivedEvent& event);
  [[nodiscard]] std::string request_head(const Url& url) const;
  EventSourceResult report(AttemptEnd end, std::optional<milliseconds> delay);
  void sleep(milliseconds delay);

  EventSourceOptions options_;
  EventSourceCallbacks callbacks_;
  Url url_;
  const int wake_fd_;  // an eventfd; readable for ever once stop() was called
  Waiter& waiter_;
  Backoff backoff_;
  proto::SseParser parser_;
  std::vector<char> buffer_;
  std::string last_event_id_;
  int status_ = 0;                     // of the last response
  bool streaming_ = false;             // a stream's head was accepted in this attempt
  std::uint64_t comments_before_ = 0;  // the parser's count when the stream began
  std::optional<AttemptEnd> verdict_;  // why on_head or on_body stopped the reader
  std::atomic<bool> stopping_{false};
  static_assert(std::atomic<bool>::is_always_lock_free, "stop() is called from signal handlers");
};

EventSourceResult EventSource::Impl::run() {
  while (!stopping()) {
    AttemptEnd end = attempt();
    parser_.end_of_stream();
    if (stopping()) break;
    if (!end.final_end && !options_.reconnect) end.final_end = End::disconnected;
    if (end.final_end) return report(std::move(end), std::nullopt);
    if (const auto retry_ms = parser_.retry_ms()) backoff_.set_retry(milliseconds(*retry_ms));
    const milliseconds delay = std::max(backoff_.next(), end.retry_after);
    report(std::move(end), delay);
    sleep(delay);
  }
  return {End::stopped, status_, ""};
}

void EventSource::Impl::stop() noexcept {
  stopping_.store(true, std::memory_order_release);
  const int saved_errno = errno;  // a signal handler must leave it as it was
  const std::uint64_t one = 1;
  // The only failure is a counter at its end, 2^64 stops later: it is readable then too.
  [[maybe_unused]] const auto written = ::write(wake_fd_, &one, sizeof one);
  errno = saved_errno;
}

// Tells the user how the attempt ended; the result is run()'s if no other follows (no delay).
EventSourceResult EventSource::Impl::report(AttemptEnd end, std::optional<milliseconds> delay) {
  if (callbacks_.on_disconnect) {
    callbacks_.on_disconnect(
        {end.reason, end.message, delay.has_value(), delay.value_or(milliseconds(0))});
  }
  return {end.final_end.value_or(End::disconnected), status_, std::move(end.message)};
}

void EventSource::Impl::sleep(milliseconds delay) {
  const auto deadline = waiter_.now() + delay;
  while (!stopping() && waiter_.now() < deadline) {
    pollfd wake{wake_fd_, POLLIN, 0};
    waiter_.wait({&wake, 1}, deadline);
  }
}

// One connection, or as many as there are redirects.
AttemptEnd EventSource::Impl::attempt() {
  Url url = url_;
  for (unsigned hops = 0;; ++hops) {
    std::optional<Url> redirect;
    AttemptEnd end = request(url, redirect);
    if (!redirect || stopping()) return end;
    if (hops == options_.max_redirects) return refused("too many redirects");
    url = std::move(*redirect);
  }
}

AttemptEnd EventSource::Impl::request(const Url& url, std::optional<Url>& redirect) {
  const auto deadline = waiter_.now() + milliseconds(options_.connect_timeout_ms);
  streaming_ = false;
  status_ = 0;
  verdict_.reset();
  auto socket = ClientSocket::connect(url.host, url.port, deadline, context());
  if (!socket) return socket_failed(socket.error());
  if (auto sent = socket->send_all(request_head(url), deadline, context()); !sent) {
    return socket_failed(sent.error());
  }
  return read_response(*socket, url, deadline, redirect);
}

std::string EventSource::Impl::request_head(const Url& url) const {
  std::string head = "GET " + url.target + " HTTP/1.1\r\nHost: " + url.authority() + "\r\n";
  const auto add = [&](std::string_view name, std::string_view value) {
    head.append(name).append(": ").append(value).append("\r\n");
  };
  const bool ours = url.same_origin(url_);
  const auto add_default = [&](std::string_view name, std::string_view value) {
    if (!ours || !has_header(options_.headers, lower(name))) add(name, value);
  };
  add_default("Accept", "text/event-stream");
  add_default("Cache-Control", "no-store");
  add_default("User-Agent", "tocsin");
  if (!last_event_id_.empty()) add("Last-Event-ID", last_event_id_);
  if (ours) {
    for (const HeaderField& field : options_.headers) add(field.name, field.value);
  }
  return head + "\r\n";
}

AttemptEnd EventSource::Impl::read_response(ClientSocket& socket, const Url& url,
                                            TimePoint head_deadline, std::optional<Url>& redirect) {
  ResponseReader reader({[&](const ResponseHead& head) { return on_head(head, url, redirect); },
                         [&](std::string_view bytes) { return on_body(bytes); }},
                        options_.max_head_bytes);
  while (!stopping()) {
    auto deadline = head_deadline;
    if (streaming_) {
      deadline = options_.idle_timeout_ms == 0
                     ? kNever
                     : waiter_.now() + milliseconds(options_.idle_timeout_ms);
    }
    const auto got = socket.receive(buffer_, deadline, context());
    if (!got) {
      AttemptEnd end = socket_failed(got.error());
      if (!streaming_ || end.reason != Reason::timeout) return end;
      const auto idle_s = std::to_string(options_.idle_timeout_ms / 1000);
      return {Reason::idle, "nothing received for " + idle_s + " s", {}, milliseconds(0)};
    }
    if (*got == 0) return end_of_connection(reader);
    const auto step = reader.feed({buffer_.data(), *got});
    if (step.state == ResponseReader::State::failed) return reader_failed(reader);
    if (step.state == ResponseReader::State::message_complete) return end_of_connection(reader);
  }
  return {};
}

// The server has ended the stream: by closing the connection or by the last chunk.
AttemptEnd EventSource::Impl::end_of_connection(ResponseReader& reader) {
  if (streaming_) {
    return {Reason::end_of_stream, "the server ended the stream", {}, milliseconds(0)};
  }
  const bool silent = !reader.mid_message();
  return {Reason::bad_response,
          silent ? "the server closed the connection without an answer"
                 : "the server closed the connection in the middle of its answer",
          {},
          milliseconds(0)};
}

AttemptEnd EventSource::Impl::reader_failed(const ResponseReader& reader) {
  if (verdict_) return std::move(*verdict_);
  return {
      Reason::bad_response, "not a valid HTTP response: " + reader.error(), {}, milliseconds(0)};
}

// False: the response is no stream to read; verdict_ or `redirect` says what it is.
bool EventSource::Impl::on_head(const ResponseHead& head, const Url& url,
                                std::optional<Url>& redirect) {
  status_ = head.status;
  const std::string status = "status " + std::to_string(head.status);
  if (head.status == 200 && head.media_type() == "text/event-stream") {
    streaming_ = true;
    comments_before_ = parser_.comments();
    if (callbacks_.on_open && !stopping()) callbacks_.on_open({head, url.to_string()});
    return true;
  }
  if (head.status == 200) {
    verdict_ = refused("not an event stream: the content type is " +
                       (head.media_type().empty() ? "missing" : head.media_type()));
  } else if (head.status == 204) {
    verdict_ = AttemptEnd{Reason::refused, "the server wants no reconnection (status 204)",
                          End::no_content, milliseconds(0)};
  } else if (is_redirect(head.status)) {
    auto target = resolve_url(url, head.header("Location"));
    if (target && !head.header("Location").empty()) {
      redirect = std::move(*target);
      verdict_ = AttemptEnd{};
    } else {
      verdict_ = refused("a redirect that cannot be followed: " +
                         (target ? "it names no location" : target.error()));
    }
  } else if (is_retryable(head.status)) {
    const auto after =
        parse_retry_after(head.header("Retry-After"), std::chrono::system_clock::now());
    verdict_ = AttemptEnd{
        Reason::refused, "the server answered with " + status, {}, after.value_or(milliseconds(0))};
  } else {
    verdict_ = refused("the server answered with " + status);
  }
  return false;
}

bool EventSource::Impl::on_body(std::string_view bytes) {
  if (stopping()) return false;
  const bool fits = parser_.feed(bytes);
  // A stop() in the middle leaves events undelivered: the id must not be moved past them.
  if (!stopping()) last_event_id_ = parser_.last_event_id();
  if (parser_.comments() != comments_before_) backoff_.on_alive();
  if (!fits) {
    verdict_ =
        AttemptEnd{Reason::limit,
                   "an event is larger than " + std::to_string(options_.max_event_bytes) + " bytes",
                   End::limit, milliseconds(0)};
  }
  return fits;
}

void EventSource::Impl::on_event(const proto::ReceivedEvent& event) {
  if (stopping()) return;
  backoff_.on_alive();
  last_event_id_ = event.last_event_id;
  if (callbacks_.on_event) callbacks_.on_event(event);
}

EventSource::EventSource(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
EventSource::~EventSource() = default;

std::expected<std::unique_ptr<EventSource>, std::string> EventSource::create(
    EventSourceOptions options, EventSourceCallbacks callbacks) {
  auto url = parse_url(options.url);
  if (!url) return std::unexpected(std::move(url.error()));
  if (auto fault = find_fault(options)) return std::unexpected(std::move(*fault));
  const int wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (wake_fd < 0) {
    return std::unexpected("no eventfd: " + std::system_category().message(errno));
  }
  return std::unique_ptr<EventSource>(new EventSource(
      std::make_unique<Impl>(std::move(options), std::move(callbacks), std::move(*url), wake_fd)));
}

EventSourceResult EventSource::run() {
  return impl_->run();
}
void EventSource::stop() noexcept {
  impl_->stop();
}
const std::string& EventSource::last_event_id() const {
  return impl_->last_event_id();
}

}  // namespace tocsin::net
