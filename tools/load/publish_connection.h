// One connection of the publishing side: requests out, answers in, never blocking.
#pragma once

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "net/resolver.h"
#include "tools/load/answer_reader.h"

namespace tocsin::load {

// Owns its socket. Closed at first and after its end; requests may be appended in every state, and
// those of which no byte has reached the kernel outlive an end. Functions that return an int give
// 0 or an errno. Not thread-safe.
class PublishConnection {
 public:
  enum class State : std::uint8_t { closed, connecting, open };

  // `success` outlives it.
  PublishConnection(const std::vector<int>& success, bool to_head)
      : success_(&success), to_head_(to_head) {}
  ~PublishConnection() {
    if (fd_ >= 0) ::close(fd_);
  }
  PublishConnection(const PublishConnection&) = delete;
  PublishConnection& operator=(const PublishConnection&) = delete;

  [[nodiscard]] State state() const { return state_; }
  [[nodiscard]] int fd() const { return fd_; }
  [[nodiscard]] bool has_unsent() const { return sent_ < unsent_.size(); }
  [[nodiscard]] std::size_t unsent_bytes() const { return unsent_.size() - sent_; }
  // Requests that were appended and not answered.
  [[nodiscard]] std::uint64_t outstanding() const { return waiting_.size(); }
  // Of the open connection; valid until the next one.
  [[nodiscard]] const AnswerReader& answers() const { return *answers_; }

  // Begins to connect: the socket is writable when finish_connect() can tell how it went, if it is
  // not open at once. REQUIRES: closed.
  [[nodiscard]] int connect(const net::SocketAddress& peer) {
    fd_ = ::socket(peer.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd_ < 0) return errno;
    state_ = State::connecting;
    // Requests are written as they are due; Nagle would hold them back for the answers.
    const int on = 1;
    setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    answers_ = std::make_unique<AnswerReader>(*success_, to_head_);
    const auto* address = reinterpret_cast<const sockaddr*>(&peer.storage);
    if (::connect(fd_, address, peer.size) == 0) return finish_connect();
    return errno == EINPROGRESS || errno == EINTR ? 0 : errno;
  }
  [[nodiscard]] int finish_connect() {
    int code = 0;
    socklen_t size = sizeof code;
    if (getsockopt(fd_, SOL_SOCKET, SO_ERROR, &code, &size) != 0) code = errno;
    if (code == 0) state_ = State::open;
    return code;
  }

  // Blocks until it is open, or for so long.
  [[nodiscard]] int connect_and_wait(const net::SocketAddress& peer, int timeout_ms) {
    if (const int code = connect(peer); code != 0 || state_ == State::open) return code;
    pollfd writable{.fd = fd_, .events = POLLOUT, .revents = 0};
    if (poll(&writable, 1, timeout_ms) <= 0) return ETIMEDOUT;
    return finish_connect();
  }

  // A request is what is written into buffer() before commit().
  [[nodiscard]] std::string& buffer() { return unsent_; }
  void commit(std::uint64_t due_ns) {
    waiting_.push_back({due_ns, std::exchange(committed_, handed_ + unsent_bytes())});
  }

  // EAGAIN: the socket is full. EPIPE and the like: the end, which receive() tells in full.
  [[nodiscard]] int flush() {
    while (has_unsent()) {
      const ssize_t sent =
          ::send(fd_, unsent_.data() + sent_, unsent_bytes(), MSG_NOSIGNAL | MSG_DONTWAIT);
      if (sent < 0 && errno == EINTR) continue;
      if (sent < 0) return errno;
      sent_ += static_cast<std::size_t>(sent);
      handed_ += static_cast<std::uint64_t>(sent);
    }
    unsent_.clear();
    sent_ = 0;
    return 0;
  }

  enum class Received : std::uint8_t {
    nothing,
    bytes,
    closed,   // by the server, orderly
    broken,   // errno says how
    no_http,  // answers().error() says why
  };
  // One recv(2). Calls answered(due_ns) for each request that it answers.
  template <typename Answered>
  [[nodiscard]] Received receive(std::span<char> scratch, Answered&& answered) {
    const ssize_t got = ::recv(fd_, scratch.data(), scratch.size(), MSG_DONTWAIT);
    if (got < 0) return errno == EAGAIN || errno == EINTR ? Received::nothing : Received::broken;
    const std::uint64_t before = answers_->answers();
    const bool good = got > 0 ? answers_->feed({scratch.data(), static_cast<std::size_t>(got)})
                              : answers_->finish();
    for (auto n = answers_->answers() - before; n > 0 && !waiting_.empty(); --n) {
      answered(waiting_.front().due_ns);
      waiting_.pop_front();
    }
    if (got == 0) return Received::closed;
    return good ? Received::bytes : Received::no_http;
  }

  // Ends it from this side. Returns how many requests were (partly) sent and got no answer; those
  // are forgotten. `hard`: with a reset, which leaves no TIME_WAIT and so keeps the port.
  std::uint64_t close(bool hard) {
    if (hard) {
      const linger none{.l_onoff = 1, .l_linger = 0};
      setsockopt(fd_, SOL_SOCKET, SO_LINGER, &none, sizeof none);
    }
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
    state_ = State::closed;
    std::uint64_t lost = 0;
    for (; !waiting_.empty() && waiting_.front().begin < handed_; waiting_.pop_front()) ++lost;
    // What is left of a request that was cut, or answered before all of it was sent, goes too. The
    // next connection's bytes count from 0 again.
    const std::uint64_t begin = waiting_.empty() ? committed_ : waiting_.front().begin;
    unsent_.erase(0, sent_ + static_cast<std::size_t>(begin - handed_));
    for (Request& request : waiting_) request.begin -= begin;
    committed_ -= begin;
    sent_ = 0;
    handed_ = 0;
    return lost;
  }

 private:
  struct Request {
    std::uint64_t due_ns;
    std::uint64_t begin;  // in the bytes of the connection
  };

  const std::vector<int>* success_;
  bool to_head_;
  State state_ = State::closed;
  int fd_ = -1;
  std::string unsent_;
  std::size_t sent_ = 0;         // of unsent_
  std::uint64_t handed_ = 0;     // bytes that the kernel has taken on this connection
  std::uint64_t committed_ = 0;  // bytes of all requests of this connection
  std::deque<Request> waiting_;
  std::unique_ptr<AnswerReader> answers_;
};

}  // namespace tocsin::load
