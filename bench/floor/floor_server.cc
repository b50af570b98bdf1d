#include "bench/floor/floor_server.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <latch>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

#include "bench/floor/bare_send.h"
#include "bench/floor/floor_inbox.h"
#include "bench/floor/floor_sockets.h"
#include "bench/floor/floor_wire.h"
#include "tools/base/print.h"

namespace tocsin::bench {
namespace {

constexpr std::size_t kReceiveSize = std::size_t{64} * 1024;
// Frames that wait for a submit.
constexpr std::size_t kArena = std::size_t{4} * 1024 * 1024;
constexpr std::size_t kAnswersAtOnce = 1024;

// The hub's socket options: what the kernel does for a send depends on them.
constexpr int kSendBuffer = 64 * 1024;
constexpr int kReceiveBuffer = 8 * 1024;
constexpr int kUserTimeoutMs = 30'000;

void set_option(int fd, int level, int option, int value) {
  setsockopt(fd, level, option, &value, sizeof value);
}

[[noreturn]] void fail(const char* what) {
  tools::print(stderr, "tocsin_bench_floor: {}: {}\n", what, std::strerror(errno));
  std::exit(1);
}

struct Listener {
  int fd;
  std::uint16_t port;
};

Listener open_listener(std::uint16_t port, PortUse use) {
  sockaddr_in address{};
  const int fd = listen_on(port, SOCK_NONBLOCK, use, address);
  set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  set_option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, kUserTimeoutMs);
  set_option(fd, SOL_SOCKET, SO_SNDBUF, kSendBuffer);
  return {fd, ntohs(address.sin_port)};
}

std::string repeated(std::string_view text, std::size_t times) {
  std::string result;
  for (std::size_t i = 0; i < times; ++i) result += text;
  return result;
}

// A publisher's requests; with the ring they come into `buffer`.
struct Unread {
  std::string bytes;
  std::vector<char> buffer;
};

using FloorInboxes = std::vector<FloorInbox>;  // one for each thread

// Of one thread, which makes and runs it.
class FloorServer {
 public:
  // `listener` becomes its own; `inboxes` outlive it. Exits the process if the kernel gives no
  // ring.
  FloorServer(const FloorServerOptions& options, int listener, FloorInboxes& inboxes,
              std::size_t thread);
  [[noreturn]] void run();

 private:
  struct Event {
    std::size_t topic;
    std::size_t begin;  // in frames_
    std::size_t end;
  };

  [[nodiscard]] std::string_view frame_of(const Event& event) const {
    return std::string_view{frames_}.substr(event.begin, event.end - event.begin);
  }

  void arm(int operation, int fd, std::uint32_t events) const;
  void poll(int timeout_ms);
  void turn_of_ring();
  void accept_some();
  void read_requests(int fd, Unread& unread);
  void on_received(const RingNews::Received& received);
  bool take_requests(int fd, Unread& unread);
  void take_publish(std::size_t topic, std::string_view body);
  void deliver(int fd);
  void send_event(std::size_t topic, std::string_view frame);
  void hand_to_others();
  void take_handed();
  void open_stream(int fd, std::size_t topic);
  void end_failed();
  void end_stream(int fd);
  void forget(int fd);

  static constexpr std::size_t kNoTopic = ~std::size_t{0};

  const FloorServerOptions options_;
  const std::string answers_ = repeated(kFloorAnswer, kAnswersAtOnce);
  std::optional<BareRing> ring_;
  RingNews news_;
  const int epoll_ = epoll_create1(EPOLL_CLOEXEC);
  const int listener_;
  FloorInboxes& inboxes_;
  FloorInbox& inbox_;
  std::vector<FloorEvents> handed_;         // of a turn, by other threads
  std::vector<std::vector<int>> topics_;    // their streams
  std::vector<std::size_t> topic_at_;       // by descriptor of a stream
  std::unordered_map<int, Unread> unread_;  // of connections that are no streams
  std::vector<int> failed_;
  std::vector<int> gone_;
  std::string frames_;  // of a turn; it has its memory from the start
  std::vector<Event> taken_;
  std::uint64_t events_ = 0;
};

FloorServer::FloorServer(const FloorServerOptions& options, int listener, FloorInboxes& inboxes,
                         std::size_t thread)
    : options_(options), listener_(listener), inboxes_(inboxes), inbox_(inboxes[thread]) {
  if (options_.way == FloorWay::uring) {
    ring_.emplace(options_.batch);
    if (!ring_->usable()) std::exit(1);
  }
  frames_.reserve(kArena);
  arm(EPOLL_CTL_ADD, listener_, EPOLLIN);
  arm(EPOLL_CTL_ADD, inbox_.fd(), EPOLLIN);
}

void FloorServer::arm(int operation, int fd, std::uint32_t events) const {
  epoll_event event{.events = events, .data = {.fd = fd}};
  epoll_ctl(epoll_, operation, fd, &event);
}

void FloorServer::run() {
  if (ring_) ring_->watch_readable(epoll_);
  for (;;) {
    if (ring_) {
      turn_of_ring();
    } else {
      poll(-1);
    }
    end_failed();
    for (const int fd : gone_) end_stream(fd);
    gone_.clear();
  }
}

// What was queued in the turn before, the wait, and what it brought: one system call, where only
// publishers have something to say.
void FloorServer::turn_of_ring() {
  ring_->wait();
  frames_.clear();
  handed_.clear();
  news_.clear();
  ring_->take(news_);
  gone_.insert(gone_.end(), news_.gone.begin(), news_.gone.end());
  failed_.insert(failed_.end(), news_.failed.begin(), news_.failed.end());
  for (const RingNews::Received& received : news_.received) on_received(received);
  if (!news_.readable) return;
  poll(0);
  ring_->watch_readable(epoll_);
}

void FloorServer::poll(int timeout_ms) {
  std::array<epoll_event, 512> events{};
  const int ready =
      epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), timeout_ms);
  for (int i = 0; i < ready; ++i) {
    const int fd = events[static_cast<std::size_t>(i)].data.fd;
    if (fd == listener_) {
      accept_some();
    } else if (fd == inbox_.fd()) {
      take_handed();
    } else if (const auto found = unread_.find(fd); found != unread_.end()) {
      read_requests(fd, found->second);
    } else {
      gone_.push_back(fd);  // a stream: EPOLLRDHUP is all that it has armed
    }
  }
}

void FloorServer::accept_some() {
  for (;;) {
    const int fd = accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
      if (errno == EAGAIN || errno == ECONNABORTED || errno == EINTR) return;
      fail("accept");
    }
    unread_[fd].bytes.clear();
    arm(EPOLL_CTL_ADD, fd, EPOLLIN);
  }
}

void FloorServer::read_requests(int fd, Unread& unread) {
  std::array<char, kReceiveSize> buffer;  // not cleared: written by recv, read only so far
  const ssize_t got = recv(fd, buffer.data(), buffer.size(), MSG_DONTWAIT);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (got <= 0) return forget(fd);
  unread.bytes.append(buffer.data(), static_cast<std::size_t>(got));
  const bool publishes = unread.bytes.starts_with("POST ");
  if (!take_requests(fd, unread) || !ring_ || !publishes) return;
  arm(EPOLL_CTL_DEL, fd, 0);  // a publisher: from here on by the ring
  unread.buffer.resize(kReceiveSize);
  ring_->receive(fd, unread.buffer);
}

void FloorServer::on_received(const RingNews::Received& received) {
  Unread& unread = unread_.at(received.fd);
  if (received.size <= 0) return forget(received.fd);
  unread.bytes.append(unread.buffer.data(), static_cast<std::size_t>(received.size));
  if (take_requests(received.fd, unread)) ring_->receive(received.fd, unread.buffer);
}

// The whole requests in what is unread. False: the connection is a publisher's no more.
bool FloorServer::take_requests(int fd, Unread& unread) {
  std::string_view rest = unread.bytes;
  for (;;) {
    std::size_t body_at = 0;
    const auto size = request_size(rest, body_at);
    if (!size) {
      forget(fd);
      return false;
    }
    if (*size == 0) break;
    const std::string_view request = rest.substr(0, *size);
    if (request.starts_with("GET /events")) {
      open_stream(fd, topic_of(request));
      return false;
    }
    if (request.starts_with("GET ")) {
      send(fd, kFloorNotFound.data(), kFloorNotFound.size(), MSG_NOSIGNAL);
      forget(fd);
      return false;
    }
    take_publish(topic_of(request), request.substr(body_at));
    rest.remove_prefix(*size);
    if (taken_.size() == kAnswersAtOnce) deliver(fd);
  }
  unread.bytes.erase(0, unread.bytes.size() - rest.size());
  deliver(fd);
  return true;
}

void FloorServer::take_publish(std::size_t topic, std::string_view body) {
  const std::size_t begin = frames_.size();
  if (!append_floor_frame(frames_, body, ++events_)) {
    tools::print(stderr, "tocsin_bench_floor: more events in a turn than it has memory for\n");
    std::exit(1);
  }
  taken_.push_back({topic, begin, frames_.size()});
}

// The publisher has its answers before the streams have the events: so does the hub.
void FloorServer::deliver(int fd) {
  if (taken_.empty()) return;
  const std::string_view answers =
      std::string_view{answers_}.substr(0, taken_.size() * kFloorAnswer.size());
  if (ring_) {
    ring_->send({&fd, 1}, answers);
  } else {
    send(fd, answers.data(), answers.size(), MSG_NOSIGNAL);
  }
  if (inboxes_.size() > 1) hand_to_others();
  for (const Event& event : taken_) send_event(event.topic, frame_of(event));
  taken_.clear();
  if (!ring_) frames_.clear();
}

// With the ring, `frame` lives until the end of the turn.
void FloorServer::send_event(std::size_t topic, std::string_view frame) {
  if (topic >= topics_.size()) return;
  if (ring_) {
    ring_->send(topics_[topic], frame);
  } else {
    send_by_loop(topics_[topic], frame, failed_);
  }
}

void FloorServer::hand_to_others() {
  std::vector<FloorEvent> events;
  for (const Event& event : taken_) {
    events.push_back({event.topic, std::string{frame_of(event)}});
  }
  const auto shared = std::make_shared<const std::vector<FloorEvent>>(std::move(events));
  for (FloorInbox& inbox : inboxes_) {
    if (&inbox != &inbox_) inbox.put(shared);
  }
}

void FloorServer::take_handed() {
  handed_ = inbox_.take();  // once a turn
  for (const FloorEvents& events : handed_) {
    for (const auto& [topic, frame] : *events) send_event(topic, frame);
  }
}

void FloorServer::open_stream(int fd, std::size_t topic) {
  unread_.erase(fd);
  set_option(fd, SOL_SOCKET, SO_RCVBUF, kReceiveBuffer);
  if (send(fd, kFloorStreamHead.data(), kFloorStreamHead.size(), MSG_NOSIGNAL) < 0) {
    close(fd);
    return;
  }
  const auto index = static_cast<std::size_t>(fd);
  if (index >= topic_at_.size()) topic_at_.resize(2 * index + 1, kNoTopic);
  if (topic >= topics_.size()) topics_.resize(topic + 1);
  topic_at_[index] = topic;
  topics_[topic].push_back(fd);
  if (options_.watch_hangups && !ring_) return arm(EPOLL_CTL_MOD, fd, EPOLLRDHUP);
  arm(EPOLL_CTL_DEL, fd, 0);
  if (options_.watch_hangups) ring_->watch_hangup(fd);
}

// Those that did not take an event. Where leaving is watched, that tells, and then it is closed.
void FloorServer::end_failed() {
  for (const int fd : failed_) {
    if (options_.watch_hangups) {
      shutdown(fd, SHUT_RDWR);
    } else {
      end_stream(fd);
    }
  }
  failed_.clear();
}

void FloorServer::end_stream(int fd) {
  const auto index = static_cast<std::size_t>(fd);
  if (index >= topic_at_.size() || topic_at_[index] == kNoTopic) return;
  std::vector<int>& streams = topics_[std::exchange(topic_at_[index], kNoTopic)];
  const auto found = std::find(streams.begin(), streams.end(), fd);
  *found = streams.back();
  streams.pop_back();
  close(fd);
}

void FloorServer::forget(int fd) {
  unread_.erase(fd);
  close(fd);
}

}  // namespace

void serve_floor(const FloorServerOptions& options) {
  const PortUse use = options.threads > 1 ? PortUse::shared : PortUse::alone;
  FloorInboxes inboxes(options.threads);
  const Listener first = open_listener(options.port, use);
  // Nobody accepts before every table is copied: a copy would keep a stream open behind its end.
  std::latch all_listen(options.threads);
  for (std::size_t thread = 1; thread < options.threads; ++thread) {
    std::thread([&, thread] {
      if (unshare(CLONE_FILES) != 0) fail("unshare");
      const Listener own = open_listener(first.port, use);
      all_listen.arrive_and_wait();
      FloorServer(options, own.fd, inboxes, thread).run();
    }).detach();
  }
  all_listen.arrive_and_wait();
  tools::print(stdout, "listening {}\n", first.port);
  std::fflush(stdout);
  FloorServer(options, first.fd, inboxes, 0).run();
}

}  // namespace tocsin::bench
