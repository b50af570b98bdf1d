#include "bench/subscribers.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include <fmt/format.h>

#include "bench/clock.h"
#include "proto/assert.h"

namespace tocsin::bench {
namespace {

// Large enough that a saturated stream is read in few calls, small enough for the cache.
constexpr std::size_t kReadBytes = std::size_t{256} * 1024;
constexpr std::string_view kGoodHead = "HTTP/1.1 200 ";
constexpr std::size_t kMaxHead = std::size_t{16} * 1024;

// Under the default ip_local_port_range an address has 28,232 ports to one destination, the kernel
// searches ever longer as they fill, and a cut leaves its ports in TIME_WAIT for a minute: so few
// on each address, and other addresses of 127.0.0.0/8 after each cut.
constexpr std::uint32_t kSubscribersPerAddress = 1000;

std::uint32_t source_address(std::uint32_t index, std::uint32_t cuts) {
  const std::uint32_t block = index / kSubscribersPerAddress;
  return (127U << 24) | ((cuts % 200 + 1) << 16) | ((block / 250) << 8) | (block % 250 + 1);
}

void close_with_reset(int fd) {
  const linger reset{.l_onoff = 1, .l_linger = 0};
  setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
  close(fd);
}

template <typename T>
void add(std::atomic<T>& counter, T amount) {
  counter.fetch_add(amount, std::memory_order_relaxed);
}

template <typename T>
void subtract_one(std::atomic<T>& counter) {
  counter.fetch_sub(1, std::memory_order_relaxed);
}

}  // namespace

SubscriberGroup::SubscriberGroup(SubscriberOptions options, const PayloadFormat& format)
    : options_(std::move(options)),
      format_(format),
      request_(fmt::format("GET {} HTTP/1.1\r\nHost: {}\r\nAccept: text/event-stream\r\n"
                           "Cache-Control: no-cache\r\n\r\n",
                           options_.path, options_.host)),
      subscribers_(options_.count, Subscriber(options_.lanes)),
      buffer_(kMaxRest + kReadBytes),
      thread_([this] { run(); }) {}

SubscriberGroup::~SubscriberGroup() {
  stop();
}

void SubscriberGroup::stop() {
  stop_ = true;
  if (thread_.joinable()) thread_.join();
}

void SubscriberGroup::run() {
  TOCSIN_ASSERT(unshare(CLONE_FILES) == 0);
  epoll_ = epoll_create1(EPOLL_CLOEXEC);
  TOCSIN_ASSERT(epoll_ >= 0);
  std::array<epoll_event, 512> events{};
  while (!stop_.load()) {
    if (cuts_ != cuts_wanted_.load()) do_cut();
    start_connects();
    // Commands come through atomics: ten milliseconds is soon enough, and cheap while idle.
    const bool connecting = next_ < wanted_.load();
    const int ready =
        epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), connecting ? 1 : 10);
    for (int i = 0; i < ready; ++i) {
      const epoll_event& event = events[static_cast<std::size_t>(i)];
      on_ready(event.data.u32, event.events);
    }
  }
  cpu_ns_ = thread_cpu_ns();
  close_all();
}

void SubscriberGroup::start_connects() {
  const std::uint32_t wanted = wanted_.load();
  if (next_ >= wanted) {
    ramp_first_ = next_;
    ramp_start_ns_ = 0;
    return;
  }
  if (ramp_start_ns_ == 0) ramp_start_ns_ = now_ns();
  std::uint32_t limit = wanted;
  if (options_.connects_per_s > 0) {
    const double seconds = static_cast<double>(now_ns() - ramp_start_ns_) * 1e-9;
    const double allowed = 1 + (seconds * options_.connects_per_s);
    if (allowed < wanted - ramp_first_) limit = ramp_first_ + static_cast<std::uint32_t>(allowed);
  }
  for (; next_ < limit && in_flight_ < options_.connects_in_flight; ++next_) {
    if (subscribers_[next_].state == State::idle) connect_one(next_);
  }
}

void SubscriberGroup::connect_one(std::uint32_t slot) {
  Subscriber& subscriber = subscribers_[slot];
  const int one = 1;
  ++in_flight_;
  subscriber.state = State::connecting;
  subscriber.fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (subscriber.fd < 0) return refuse(slot, fmt::format("socket: {}", std::strerror(errno)));
  sockaddr_in from{};
  from.sin_family = AF_INET;
  from.sin_addr.s_addr = htonl(source_address(options_.first_index + slot, cuts_));
  setsockopt(subscriber.fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
  if (bind(subscriber.fd, reinterpret_cast<const sockaddr*>(&from), sizeof from) < 0) {
    return refuse(slot, fmt::format("bind: {}", std::strerror(errno)));
  }
  const auto* to = reinterpret_cast<const sockaddr*>(&options_.server);
  if (connect(subscriber.fd, to, sizeof options_.server) < 0 && errno != EINPROGRESS) {
    return refuse(slot, fmt::format("connect: {}", std::strerror(errno)));
  }
  // On loopback the handshake is over by now, unless the listener's backlog is full.
  if (send_request(slot)) return watch(slot, EPOLL_CTL_ADD, EPOLLIN);
  if (subscriber.fd >= 0) watch(slot, EPOLL_CTL_ADD, EPOLLOUT);
}

void SubscriberGroup::watch(std::uint32_t slot, int operation, std::uint32_t events) {
  epoll_event event{.events = events, .data = {.u32 = slot}};
  epoll_ctl(epoll_, operation, subscribers_[slot].fd, &event);
}

// False: not connected yet, or refused.
bool SubscriberGroup::send_request(std::uint32_t slot) {
  Subscriber& subscriber = subscribers_[slot];
  std::string_view request = request_;
  std::string resuming;
  if (const auto id = subscriber.check.last_event_id(); !id.empty()) {
    resuming =
        fmt::format("{}Last-Event-ID: {}\r\n\r\n", request_.substr(0, request_.size() - 2), id);
    request = resuming;
  }
  // A fresh socket's send buffer takes a request of some hundred bytes whole.
  const ssize_t sent = send(subscriber.fd, request.data(), request.size(), MSG_NOSIGNAL);
  if (sent < 0 && (errno == EAGAIN || errno == ENOTCONN)) return false;
  if (sent != static_cast<ssize_t>(request.size())) {
    refuse(slot, fmt::format("connect: {}", std::strerror(errno)));
    return false;
  }
  subscriber.state = State::reading_head;
  return true;
}

void SubscriberGroup::on_ready(std::uint32_t slot, std::uint32_t events) {
  if (subscribers_[slot].state == State::connecting && (events & (EPOLLOUT | EPOLLERR)) != 0) {
    if (send_request(slot)) watch(slot, EPOLL_CTL_MOD, EPOLLIN);
  } else {
    read_stream(slot);
  }
}

void SubscriberGroup::read_stream(std::uint32_t slot) {
  Subscriber& subscriber = subscribers_[slot];
  if (subscriber.fd < 0) return;  // closed earlier in this batch of events
  const std::string_view rest = subscriber.check.rest();
  std::memcpy(buffer_.data(), rest.data(), rest.size());
  const ssize_t got = recv(subscriber.fd, buffer_.data() + rest.size(), kReadBytes, 0);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (got <= 0) {
    const char* why = got == 0 ? "closed by the server" : std::strerror(errno);
    if (subscriber.state != State::streaming) return refuse(slot, why);
    close(std::exchange(subscriber.fd, -1));
    subscriber.state = State::ended;
    subtract_one(progress_.connected);
    return add(progress_.dropped, 1U);
  }
  std::size_t received = static_cast<std::size_t>(got);
  std::size_t body_at = 0;
  if (subscriber.state == State::reading_head) {
    if (!take_head(subscriber, received, body_at)) {
      const std::string_view head = subscriber.head;
      if (!head.starts_with(kGoodHead.substr(0, head.size())) || head.size() > kMaxHead) {
        refuse(slot, subscriber.head.substr(0, 300));
      }
      return;
    }
    received -= body_at;
    std::memmove(buffer_.data(), buffer_.data() + body_at, received);
    if (received == 0) return;
  }
  take_body(subscriber, rest.size(), received);
}

// False: the head goes on, or is none to go on with (then `subscriber.head` shows it).
bool SubscriberGroup::take_head(Subscriber& subscriber, std::size_t received,
                                std::size_t& body_at) {
  const std::size_t before = subscriber.head.size();
  subscriber.head.append(buffer_.data(), received);
  const std::size_t end = subscriber.head.find("\r\n\r\n");
  if (end == std::string::npos || !subscriber.head.starts_with(kGoodHead)) return false;
  body_at = end + 4 - before;
  const bool chunked = subscriber.head.substr(0, end).find("chunked") != std::string::npos;
  if (chunked) {
    subscriber.head = "the server sends chunked streams, which this client does not read";
    return false;
  }
  subscriber.head = std::string();
  subscriber.state = State::streaming;
  --in_flight_;
  add(progress_.connected, 1U);
  return true;
}

void SubscriberGroup::take_body(Subscriber& subscriber, std::size_t rest, std::size_t received) {
  const bool had_heard = subscriber.check.has_heard();
  const std::uint64_t fresh =
      subscriber.check.feed({buffer_.data(), rest + received}, now_ns(), format_, totals_);
  if (!had_heard && subscriber.check.has_heard()) add(progress_.heard, 1U);
  if (fresh > 0) add(progress_.delivered, fresh);
}

void SubscriberGroup::refuse(std::uint32_t slot, std::string why) {
  Subscriber& subscriber = subscribers_[slot];
  if (subscriber.fd >= 0) close(std::exchange(subscriber.fd, -1));
  subscriber.state = State::ended;
  --in_flight_;
  if (first_refusal_.empty()) first_refusal_ = std::move(why);
  add(progress_.refused, 1U);
}

void SubscriberGroup::do_cut() {
  for (Subscriber& subscriber : subscribers_) {
    if (subscriber.state != State::streaming) continue;
    close(std::exchange(subscriber.fd, -1));
    subscriber.check.cut();
    subscriber.state = State::idle;
    subtract_one(progress_.connected);
  }
  // Those that ended otherwise stay ended, and are seen in the report.
  ++cuts_;
  next_ = 0;
  ramp_start_ns_ = 0;
  ramp_first_ = 0;
  add(progress_.cuts_done, 1U);
}

void SubscriberGroup::close_all() {
  for (Subscriber& subscriber : subscribers_) {
    if (subscriber.fd >= 0) close_with_reset(std::exchange(subscriber.fd, -1));
  }
  close(epoll_);
}

CheckTotals SubscriberGroup::finish(const std::vector<std::uint64_t>& published) const {
  CheckTotals result = totals_;
  for (const Subscriber& subscriber : subscribers_) subscriber.check.finish(published, result);
  return result;
}

}  // namespace tocsin::bench
