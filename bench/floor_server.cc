#include "bench/floor_server.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <fmt/format.h>

#include "bench/bare_send.h"
#include "bench/floor_sockets.h"
#include "proto/framing.h"
#include "tools/print.h"

namespace tocsin::bench {
namespace {

// In chunks, as the hub's streams are: the same bytes for an event.
constexpr std::string_view kStreamHead =
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
    "9\r\n: floor\n\n\r\n";
constexpr std::string_view kAnswer = "HTTP/1.1 204 No Content\r\n\r\n";
constexpr std::size_t kMaxRequest = std::size_t{1024} * 1024;

// The hub's socket options: what the kernel does for a send depends on them.
constexpr int kSendBuffer = 64 * 1024;
constexpr int kReceiveBuffer = 8 * 1024;
constexpr int kUserTimeoutMs = 30'000;

void set_option(int fd, int level, int option, int value) {
  setsockopt(fd, level, option, &value, sizeof value);
}

// Bytes of the request at the start of `bytes`, 0: it goes on; nothing: it is none for us.
// `body_at` becomes where its body begins.
std::optional<std::size_t> request_size(std::string_view bytes, std::size_t& body_at) {
  constexpr std::string_view kLength = "\r\nContent-Length: ";
  const std::size_t head = bytes.find("\r\n\r\n");
  if (head == std::string_view::npos) {
    return bytes.size() > kMaxRequest ? std::nullopt : std::optional<std::size_t>(0);
  }
  body_at = head + 4;
  if (bytes.starts_with("GET ")) return body_at;
  const std::size_t field = bytes.substr(0, head).find(kLength);
  if (!bytes.starts_with("POST ") || field == std::string_view::npos) return std::nullopt;
  std::size_t length = 0;
  const char* digits = bytes.data() + field + kLength.size();
  const auto [end, error] = std::from_chars(digits, bytes.data() + head, length);
  if (error != std::errc() || length > kMaxRequest) return std::nullopt;
  return bytes.size() < body_at + length ? 0 : body_at + length;
}

class FloorServer {
 public:
  explicit FloorServer(const FloorServerOptions& options);
  [[nodiscard]] int run();

 private:
  void arm(int operation, int fd, std::uint32_t events) const;
  void accept_some();
  void on_ready(const epoll_event& event);
  void read_requests(int fd, std::string& unread);
  void open_stream(int fd);
  void publish(int fd, std::string_view body);
  void end_stream(int fd);
  void forget(int fd);

  const FloorServerOptions options_;
  std::optional<RingSender> ring_;
  const int epoll_ = epoll_create1(EPOLL_CLOEXEC);
  int listener_ = -1;
  int signal_ = -1;  // the ring's, where hang-ups are watched by it
  std::vector<int> streams_;
  std::unordered_map<int, std::string> unread_;  // of connections that are no streams
  std::vector<std::size_t> failed_;
  std::vector<int> gone_;
  std::string frame_;
  std::uint64_t events_ = 0;
};

FloorServer::FloorServer(const FloorServerOptions& options) : options_(options) {
  if (options_.way == FloorWay::uring) ring_.emplace(options_.batch);
}

void FloorServer::arm(int operation, int fd, std::uint32_t events) const {
  epoll_event event{.events = events, .data = {.fd = fd}};
  epoll_ctl(epoll_, operation, fd, &event);
}

int FloorServer::run() {
  if (ring_ && !ring_->usable()) return 1;
  sockaddr_in address{};
  listener_ = listen_on(options_.port, SOCK_NONBLOCK, address);
  set_option(listener_, IPPROTO_TCP, TCP_NODELAY, 1);
  set_option(listener_, IPPROTO_TCP, TCP_USER_TIMEOUT, kUserTimeoutMs);
  set_option(listener_, SOL_SOCKET, SO_SNDBUF, kSendBuffer);
  arm(EPOLL_CTL_ADD, listener_, EPOLLIN);
  if (ring_ && options_.watch_hangups) {
    signal_ = ring_->open_hangup_signal();
    if (signal_ < 0) return 1;
    arm(EPOLL_CTL_ADD, signal_, EPOLLIN | EPOLLET);  // edges: nobody reads the counter
  }
  tools::print(stdout, "listening {}\n", ntohs(address.sin_port));
  std::fflush(stdout);
  std::array<epoll_event, 512> events{};
  for (;;) {
    const int ready = epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), -1);
    for (int i = 0; i < ready; ++i) on_ready(events[static_cast<std::size_t>(i)]);
    if (signal_ >= 0) ring_->take_hangups(gone_);
    for (const int fd : gone_) end_stream(fd);
    gone_.clear();
  }
}

void FloorServer::on_ready(const epoll_event& event) {
  const int fd = event.data.fd;
  if (fd == listener_) return accept_some();
  if (fd == signal_) return;  // hang-ups are taken after each batch of events
  if (const auto found = unread_.find(fd); found != unread_.end()) {
    read_requests(fd, found->second);
  } else {
    gone_.push_back(fd);  // a stream: EPOLLRDHUP is all that it has armed
  }
}

void FloorServer::accept_some() {
  for (;;) {
    const int fd = accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
      if (errno == EAGAIN || errno == ECONNABORTED || errno == EINTR) return;
      tools::print(stderr, "tocsin_bench_floor: accept: {}\n", std::strerror(errno));
      std::exit(1);
    }
    unread_[fd].clear();
    arm(EPOLL_CTL_ADD, fd, EPOLLIN);
  }
}

void FloorServer::read_requests(int fd, std::string& unread) {
  std::array<char, 65536> buffer;  // not cleared: written by recv, read only so far
  const ssize_t got = recv(fd, buffer.data(), buffer.size(), MSG_DONTWAIT);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (got <= 0) return forget(fd);
  unread.append(buffer.data(), static_cast<std::size_t>(got));
  for (;;) {
    std::size_t body_at = 0;
    const auto size = request_size(unread, body_at);
    if (!size) return forget(fd);
    if (*size == 0) return;
    if (unread.starts_with("GET ")) return open_stream(fd);
    publish(fd, std::string_view(unread).substr(body_at, *size - body_at));
    unread.erase(0, *size);
  }
}

void FloorServer::open_stream(int fd) {
  unread_.erase(fd);
  set_option(fd, SOL_SOCKET, SO_RCVBUF, kReceiveBuffer);
  if (send(fd, kStreamHead.data(), kStreamHead.size(), MSG_NOSIGNAL) < 0) {
    close(fd);
    return;
  }
  streams_.push_back(fd);
  if (options_.watch_hangups && !ring_) return arm(EPOLL_CTL_MOD, fd, EPOLLRDHUP);
  arm(EPOLL_CTL_DEL, fd, 0);
  if (options_.watch_hangups) ring_->watch_hangup(fd);
}

// The publisher has its answer before the streams have the event: so does the hub.
void FloorServer::publish(int fd, std::string_view body) {
  frame_.clear();
  proto::append_framed(frame_, proto::Framing::chunked,
                       fmt::format("data: {}\nid: {}\n\n", body, ++events_));
  send(fd, kAnswer.data(), kAnswer.size(), MSG_NOSIGNAL);
  failed_.clear();
  if (ring_) {
    ring_->send(streams_, frame_, failed_);
  } else {
    send_by_loop(streams_, frame_, failed_);
  }
  // From the last: what moves into the gap then is none of those.
  std::sort(failed_.rbegin(), failed_.rend());
  for (const std::size_t i : failed_) {
    if (options_.watch_hangups) {
      shutdown(streams_[i], SHUT_RDWR);  // its watch tells, and then it is closed
      continue;
    }
    close(streams_[i]);
    streams_[i] = streams_.back();
    streams_.pop_back();
  }
}

void FloorServer::end_stream(int fd) {
  const auto found = std::find(streams_.begin(), streams_.end(), fd);
  if (found == streams_.end()) return;
  *found = streams_.back();
  streams_.pop_back();
  close(fd);
}

void FloorServer::forget(int fd) {
  unread_.erase(fd);
  close(fd);
}

}  // namespace

int serve_floor(const FloorServerOptions& options) {
  return FloorServer(options).run();
}

}  // namespace tocsin::bench
