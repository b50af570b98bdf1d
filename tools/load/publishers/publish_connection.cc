#include "tools/load/publishers/publish_connection.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "proto/assert.h"

namespace tocsin::load {

PublishConnection::~PublishConnection() {
  if (fd_ >= 0) ::close(fd_);
}

int PublishConnection::connect(const net::SocketAddress& peer) {
  TOCSIN_ASSERT(state_ == State::closed && fd_ < 0);
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

int PublishConnection::finish_connect() {
  int code = 0;
  socklen_t size = sizeof code;
  if (getsockopt(fd_, SOL_SOCKET, SO_ERROR, &code, &size) != 0) code = errno;
  if (code == 0 && is_own_peer()) code = ECONNREFUSED;
  if (code == 0) state_ = State::open;
  return code;
}

// Where nobody listens on a port of the ephemeral range, a connect can be given that very port, and
// then meets itself (RFC 9293, 3.5: simultaneous open).
bool PublishConnection::is_own_peer() const {
  sockaddr_storage own{};
  sockaddr_storage peer{};
  socklen_t own_size = sizeof own;
  socklen_t peer_size = sizeof peer;
  return getsockname(fd_, reinterpret_cast<sockaddr*>(&own), &own_size) == 0 &&
         getpeername(fd_, reinterpret_cast<sockaddr*>(&peer), &peer_size) == 0 &&
         own_size == peer_size && std::memcmp(&own, &peer, own_size) == 0;
}

int PublishConnection::connect_and_wait(const net::SocketAddress& peer, int timeout_ms) {
  if (const int code = connect(peer); code != 0 || state_ == State::open) return code;
  pollfd writable{.fd = fd_, .events = POLLOUT, .revents = 0};
  if (poll(&writable, 1, timeout_ms) <= 0) return ETIMEDOUT;
  return finish_connect();
}

void PublishConnection::commit(std::uint64_t due_ns, std::size_t events) {
  waiting_.push_back({due_ns, std::exchange(committed_, handed_ + unsent_bytes()), events});
}

int PublishConnection::flush() {
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

PublishConnection::Received PublishConnection::receive(std::span<char> scratch,
                                                       std::vector<Answered>& answered) {
  answered.clear();
  const ssize_t got = ::recv(fd_, scratch.data(), scratch.size(), MSG_DONTWAIT);
  if (got < 0) return errno == EAGAIN || errno == EINTR ? Received::nothing : Received::broken;
  const std::uint64_t before = answers_->answers();
  const bool good = got > 0 ? answers_->feed({scratch.data(), static_cast<std::size_t>(got)})
                            : answers_->finish();
  const std::vector<std::uint64_t> bad = answers_->take_bad();
  auto next_bad = bad.begin();
  for (auto place = before; place < answers_->answers() && !waiting_.empty(); ++place) {
    const bool is_bad = next_bad != bad.end() && *next_bad == place;
    if (is_bad) ++next_bad;
    answered.push_back({waiting_.front().due_ns, waiting_.front().events, !is_bad});
    waiting_.pop_front();
  }
  if (got == 0) return Received::closed;
  return good ? Received::bytes : Received::no_http;
}

PublishConnection::Cut PublishConnection::close(bool hard) {
  if (hard) {
    const linger none{.l_onoff = 1, .l_linger = 0};
    setsockopt(fd_, SOL_SOCKET, SO_LINGER, &none, sizeof none);
  }
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
  state_ = State::closed;
  Cut cut;
  for (; !waiting_.empty() && waiting_.front().begin < handed_; waiting_.pop_front()) {
    ++cut.requests;
    cut.events += waiting_.front().events;
  }
  // What is left of a request that was cut, or answered before all of it was sent, goes too. The
  // next connection's bytes count from 0 again.
  const std::uint64_t begin = waiting_.empty() ? committed_ : waiting_.front().begin;
  unsent_.erase(0, sent_ + static_cast<std::size_t>(begin - handed_));
  for (SentRequest& request : waiting_) request.begin -= begin;
  committed_ -= begin;
  sent_ = 0;
  handed_ = 0;
  return cut;
}

}  // namespace tocsin::load
