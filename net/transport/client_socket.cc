#include "net/transport/client_socket.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <limits>
#include <system_error>

#include "proto/assert.h"

namespace tocsin::net {
namespace {

using Kind = SocketError::Kind;
using State = Transfer::State;

class SystemWaiter final : public Waiter {
 public:
  TimePoint now() override { return std::chrono::steady_clock::now(); }

  int wait(std::span<pollfd> fds, TimePoint deadline) override {
    int timeout_ms = -1;
    if (deadline != kNever) {
      // Rounded up: waking a moment early would only make the caller wait again.
      const auto left =
          std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
      timeout_ms = static_cast<int>(
          std::clamp<std::int64_t>(left.count(), 0, std::numeric_limits<int>::max()));
    }
    return std::max(0, ::poll(fds.data(), fds.size(), timeout_ms));
  }
};

// std::system_category().message is strerror made safe for threads.
std::string describe(int code) {
  return std::system_category().message(code);
}

}  // namespace

Waiter& system_waiter() {
  static SystemWaiter waiter;
  return waiter;
}

std::expected<void, std::string> ClientSocket::start_tls(std::shared_ptr<const TlsContext> context,
                                                         const std::string& host) {
  TOCSIN_ASSERT(is_open() && tls_ == nullptr);
  auto session = TlsSession::create(std::move(context), fd_, host);
  if (!session) return std::unexpected(std::move(session.error()));
  tls_ = std::move(*session);
  return {};
}

Transfer ClientSocket::handshake() {
  TOCSIN_ASSERT(tls_ != nullptr);
  return tls_->handshake();
}

Transfer ClientSocket::send(std::string_view bytes) {
  TOCSIN_ASSERT(is_open());
  if (tls_ != nullptr) return tls_->send(bytes);
  return outcome(::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL));
}

Transfer ClientSocket::receive(std::span<char> buffer) {
  TOCSIN_ASSERT(is_open() && !buffer.empty());  // of an empty one 0 would not mean the end
  if (tls_ != nullptr) return tls_->receive(buffer);
  const auto got = ::recv(fd_, buffer.data(), buffer.size(), 0);
  return got == 0 ? Transfer{State::ended, 0} : outcome(got);
}

// What a send(2) or recv(2) came to.
Transfer ClientSocket::outcome(std::ptrdiff_t moved) {
  if (moved >= 0) return {State::moved, static_cast<std::size_t>(moved)};
  if (errno == EAGAIN || errno == EINTR) return {State::would_block, 0};
  error_ = describe(errno);
  return {State::failed, 0};
}

short ClientSocket::events(bool sending) const {
  if (tls_ != nullptr) return tls_->events(sending);
  return static_cast<short>(sending ? POLLIN | POLLOUT : POLLIN);
}

const std::string& ClientSocket::error() const {
  return tls_ != nullptr ? tls_->error() : error_;
}

void ClientSocket::close() {
  tls_.reset();  // says goodbye through the descriptor
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

std::optional<Connector::Result> Connector::advance(short revents, TimePoint now) {
  TOCSIN_ASSERT(stage_ != Stage::over);
  std::optional<Result> result = go_on(revents, now);
  if (result) stage_ = Stage::over;
  TOCSIN_ASSERT(result || socket_.is_open());  // there is something to wait for
  return result;
}

std::optional<Connector::Result> Connector::go_on(short revents, TimePoint now) {
  while (stage_ != Stage::handshake) {
    if (stage_ == Stage::next_address) {
      if (next_ == addresses_.size()) return fail(last_.kind, last_.message);
      if (!start_next(now)) continue;
    } else if (revents == 0 && now < step_deadline_) {
      return std::nullopt;
    } else if (!finish_connecting(std::exchange(revents, short{0}))) {
      continue;
    }
    if (stage_ == Stage::connecting) return std::nullopt;
    if (destination_.tls == nullptr) return std::move(socket_);
    if (auto started = socket_.start_tls(destination_.tls, destination_.host); !started) {
      return fail(Kind::tls, started.error());
    }
    step_deadline_ = deadline_;
  }
  const Transfer shaken = socket_.handshake();
  if (shaken.state == State::moved) return std::move(socket_);
  if (shaken.state != State::would_block) return fail(Kind::tls, socket_.error());
  if (now >= deadline_) return fail(Kind::timeout, "the TLS handshake timed out");
  return std::nullopt;
}

// True: the stage is `connecting`, or `handshake` where there is nothing to wait for.
bool Connector::start_next(TimePoint now) {
  TOCSIN_ASSERT(stage_ == Stage::next_address && next_ < addresses_.size());
  const SocketAddress& address = addresses_[next_];
  const auto left = static_cast<std::int64_t>(addresses_.size() - next_++);
  step_deadline_ = deadline_ == kNever ? kNever : now + (deadline_ - now) / left;
  const int type = SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC;
  socket_ = ClientSocket(::socket(address.storage.ss_family, type, 0));
  if (!socket_.is_open()) {
    fail_address(describe(errno));
    return false;
  }
  // Requests are written whole; Nagle would only hold back the last segment of a pipeline.
  const int on = 1;
  setsockopt(socket_.fd(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  const auto* raw = reinterpret_cast<const sockaddr*>(&address.storage);
  if (::connect(socket_.fd(), raw, address.size) == 0) {
    stage_ = Stage::handshake;
    return true;
  }
  // EINTR: like EINPROGRESS, the connection goes on being made (POSIX).
  if (errno != EINPROGRESS && errno != EINTR) {
    fail_address(describe(errno));
    return false;
  }
  stage_ = Stage::connecting;
  return true;
}

// False: this address is not to be had; `revents` 0: because its time is over.
bool Connector::finish_connecting(short revents) {
  TOCSIN_ASSERT(stage_ == Stage::connecting && socket_.is_open());
  if (revents == 0) {
    fail_address("timed out", Kind::timeout);
    return false;
  }
  int code = 0;
  socklen_t size = sizeof code;
  getsockopt(socket_.fd(), SOL_SOCKET, SO_ERROR, &code, &size);
  if (code != 0) {
    fail_address(describe(code));
    return false;
  }
  stage_ = Stage::handshake;
  return true;
}

void Connector::fail_address(std::string why, Kind kind) {
  last_ = {kind, std::move(why)};
  socket_.close();
  stage_ = Stage::next_address;
}

Connector::Result Connector::fail(Kind kind, const std::string& why) const {
  return std::unexpected(SocketError{kind, "cannot connect to " + destination_.host + " port " +
                                               std::to_string(destination_.port) + ": " + why});
}

pollfd Connector::poll_request() const {
  const short events = stage_ == Stage::connecting ? short{POLLOUT} : socket_.events(false);
  return {socket_.fd(), events, 0};
}

Connector::Result connect_blocking(Destination destination, TimePoint deadline, Waiter& waiter) {
  auto addresses = look_up(destination.host, destination.port);
  if (!addresses) return std::unexpected(std::move(addresses.error()));
  Connector connector(std::move(*addresses), std::move(destination), deadline);
  short revents = 0;
  while (true) {
    if (auto result = connector.advance(revents, waiter.now())) return std::move(*result);
    // The second entry is empty, for fake clocks that take a wait for one descriptor for a pause.
    std::array<pollfd, 2> fds{connector.poll_request(), {-1, 0, 0}};
    waiter.wait(fds, connector.deadline());
    revents = fds[0].revents;
  }
}

}  // namespace tocsin::net
