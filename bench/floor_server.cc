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
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "bench/bare_send.h"
#include "bench/floor_sockets.h"
#include "proto/http/framing.h"
#include "proto/sse/frame_end.h"
#include "tools/base/print.h"

namespace tocsin::bench {
namespace {

// In chunks, as the hub's streams are: the same bytes for an event.
constexpr std::string_view kStreamHead =
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
    "9\r\n: floor\n\n\r\n";
constexpr std::string_view kAnswer = "HTTP/1.1 204 No Content\r\n\r\n";
// `tocsin load` asks for counters, and would wait for them.
constexpr std::string_view kNotFound =
    "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
constexpr std::size_t kMaxRequest = std::size_t{1024} * 1024;
constexpr std::size_t kMaxTopics = std::size_t{2} * 1000 * 1000;
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

// The number of the topic that a request names: `load-17` is 17, `load` alone is 0.
std::size_t topic_of(std::string_view request) {
  const std::string_view line = request.substr(0, request.find(" HTTP/"));
  const std::size_t dash = line.rfind('-');
  std::size_t number = 0;
  if (dash == std::string_view::npos) return number;
  std::from_chars(line.data() + dash + 1, line.data() + line.size(), number);
  return number < kMaxTopics ? number : 0;
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

class FloorServer {
 public:
  explicit FloorServer(const FloorServerOptions& options);
  [[nodiscard]] int run();

 private:
  struct Event {
    std::size_t topic;
    std::size_t begin;  // in frames_
    std::size_t end;
  };

  void arm(int operation, int fd, std::uint32_t events) const;
  void poll(int timeout_ms);
  void turn_of_ring();
  void accept_some();
  void read_requests(int fd, Unread& unread);
  void on_received(const RingNews::Received& received);
  bool take_requests(int fd, Unread& unread);
  void take_publish(std::size_t topic, std::string_view body);
  void deliver(int fd);
  void open_stream(int fd, std::size_t topic);
  void end_failed();
  void end_stream(int fd);
  void forget(int fd);

  static constexpr std::size_t kNoTopic = ~std::size_t{0};

  const FloorServerOptions options_;
  const std::string answers_ = repeated(kAnswer, kAnswersAtOnce);
  std::optional<BareRing> ring_;
  RingNews news_;
  const int epoll_ = epoll_create1(EPOLL_CLOEXEC);
  int listener_ = -1;
  std::vector<std::vector<int>> topics_;    // their streams
  std::vector<std::size_t> topic_at_;       // by descriptor of a stream
  std::unordered_map<int, Unread> unread_;  // of connections that are no streams
  std::vector<int> failed_;
  std::vector<int> gone_;
  std::string frames_;  // of a turn; it has its memory from the start
  std::vector<Event> taken_;
  std::uint64_t events_ = 0;
};

FloorServer::FloorServer(const FloorServerOptions& options) : options_(options) {
  if (options_.way == FloorWay::uring) ring_.emplace(options_.batch);
  frames_.reserve(kArena);
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
  if (ring_) ring_->watch_readable(epoll_);
  tools::print(stdout, "listening {}\n", ntohs(address.sin_port));
  std::fflush(stdout);
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
      tools::print(stderr, "tocsin_bench_floor: accept: {}\n", std::strerror(errno));
      std::exit(1);
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
      send(fd, kNotFound.data(), kNotFound.size(), MSG_NOSIGNAL);
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
  std::array<char, 32> id;
  const char* const end = std::to_chars(id.data(), id.data() + id.size(), ++events_).ptr;
  const std::string_view number{id.data(), static_cast<std::size_t>(end - id.data())};
  const std::size_t size = 6 + body.size() + 5 + number.size() + 2;
  if (frames_.size() + proto::chunk_size(size) > frames_.capacity()) {
    tools::print(stderr, "tocsin_bench_floor: more events in a turn than it has memory for\n");
    std::exit(1);
  }
  const std::size_t begin = frames_.size();
  std::array<char, proto::kMaxChunkHead> head;
  frames_.append(head.data(), proto::write_chunk_head(size, head.data()));
  frames_ += "data: ";
  frames_ += body;
  frames_ += '\n';
  proto::append_frame_end(frames_, number);
  frames_ += proto::kChunkTail;
  taken_.push_back({topic, begin, frames_.size()});
}

// The publisher has its answers before the streams have the events: so does the hub.
void FloorServer::deliver(int fd) {
  if (taken_.empty()) return;
  const std::string_view answers =
      std::string_view{answers_}.substr(0, taken_.size() * kAnswer.size());
  if (ring_) {
    ring_->send({&fd, 1}, answers);
  } else {
    send(fd, answers.data(), answers.size(), MSG_NOSIGNAL);
  }
  for (const Event& event : taken_) {
    if (event.topic >= topics_.size()) continue;
    const std::string_view frame{frames_.data() + event.begin, event.end - event.begin};
    if (ring_) {
      ring_->send(topics_[event.topic], frame);
    } else {
      send_by_loop(topics_[event.topic], frame, failed_);
    }
  }
  taken_.clear();
  if (!ring_) frames_.clear();
}

void FloorServer::open_stream(int fd, std::size_t topic) {
  unread_.erase(fd);
  set_option(fd, SOL_SOCKET, SO_RCVBUF, kReceiveBuffer);
  if (send(fd, kStreamHead.data(), kStreamHead.size(), MSG_NOSIGNAL) < 0) {
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

int serve_floor(const FloorServerOptions& options) {
  return FloorServer(options).run();
}

}  // namespace tocsin::bench
