#include "net/client_socket.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <limits>
#include <memory>
#include <system_error>

namespace tocsin::net {
namespace {

using Kind = SocketError::Kind;

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

std::unexpected<SocketError> fail(Kind kind, std::string message) {
  return std::unexpected(SocketError{kind, std::move(message)});
}

// Waits for `events` (or an error, which the next call on the socket reports).
std::expected<void, SocketError> await(int fd, short events, TimePoint deadline,
                                       WaitContext context) {
  while (true) {
    std::array<pollfd, 2> fds{{{fd, events, 0}, {context.wake_fd, POLLIN, 0}}};
    const int ready = context.waiter.wait(fds, deadline);
    if (fds[1].revents != 0) return fail(Kind::woken, "interrupted");
    if (fds[0].revents != 0) return {};
    if (ready == 0 && context.waiter.now() >= deadline) return fail(Kind::timeout, "timed out");
  }
}

struct FreeAddresses {
  void operator()(addrinfo* list) const { freeaddrinfo(list); }
};
using Addresses = std::unique_ptr<addrinfo, FreeAddresses>;

std::expected<Addresses, SocketError> look_up(const std::string& host, std::uint16_t port) {
  const std::string service = std::to_string(port);
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* list = nullptr;
  // A literal first and alone: it must work without a resolver, and AI_ADDRCONFIG (no AAAA answers
  // on a host without IPv6) would refuse "::1" where only loopback has IPv6.
  hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
  int code = getaddrinfo(host.c_str(), service.c_str(), &hints, &list);
  if (code == EAI_NONAME) {
    hints.ai_flags = AI_NUMERICSERV;
    code = getaddrinfo(host.c_str(), service.c_str(), &hints, &list);
  }
  if (code != 0) {
    const std::string why = code == EAI_SYSTEM ? describe(errno) : gai_strerror(code);
    return fail(Kind::resolve, "cannot resolve " + host + ": " + why);
  }
  return Addresses(list);
}

}  // namespace

// Connects to one address. A friend, so that only here a ClientSocket is made of a descriptor.
class Connector {
 public:
  static std::expected<ClientSocket, SocketError> connect(const addrinfo& address,
                                                          TimePoint deadline, WaitContext context) {
    ClientSocket socket(::socket(address.ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!socket.is_open()) return fail(Kind::connect, describe(errno));
    // Requests are written whole; Nagle would only hold back the last segment of a pipeline.
    const int on = 1;
    setsockopt(socket.fd(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (::connect(socket.fd(), address.ai_addr, address.ai_addrlen) != 0) {
      // EINTR: like EINPROGRESS, the connection goes on being made (POSIX).
      if (errno != EINPROGRESS && errno != EINTR) return fail(Kind::connect, describe(errno));
      if (auto ready = await(socket.fd(), POLLOUT, deadline, context); !ready) {
        return std::unexpected(std::move(ready.error()));
      }
      int code = 0;
      socklen_t size = sizeof code;
      getsockopt(socket.fd(), SOL_SOCKET, SO_ERROR, &code, &size);
      if (code != 0) return fail(Kind::connect, describe(code));
    }
    return socket;
  }
};

Waiter& system_waiter() {
  static SystemWaiter waiter;
  return waiter;
}

ClientSocket::~ClientSocket() {
  close();
}

void ClientSocket::close() {
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

std::expected<ClientSocket, SocketError> ClientSocket::connect(const std::string& host,
                                                               std::uint16_t port,
                                                               TimePoint deadline,
                                                               WaitContext context) {
  auto addresses = look_up(host, port);
  if (!addresses) return std::unexpected(std::move(addresses.error()));
  int left = 0;
  for (const addrinfo* a = addresses->get(); a != nullptr; a = a->ai_next) ++left;

  SocketError last{Kind::connect, "no address"};
  for (const addrinfo* a = addresses->get(); a != nullptr; a = a->ai_next, --left) {
    const auto now = context.waiter.now();
    const auto share = deadline == kNever ? kNever : now + (deadline - now) / left;
    auto socket = Connector::connect(*a, share, context);
    if (socket || socket.error().kind == Kind::woken) return socket;
    last = std::move(socket.error());
  }
  last.message =
      "cannot connect to " + host + " port " + std::to_string(port) + ": " + last.message;
  return std::unexpected(std::move(last));
}

std::expected<void, SocketError> ClientSocket::send_all(std::string_view bytes, TimePoint deadline,
                                                        WaitContext context) {
  while (!bytes.empty()) {
    const auto sent = try_send(bytes);
    if (sent >= 0) {
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    } else if (errno == EAGAIN) {
      if (auto ready = await(fd_, POLLOUT, deadline, context); !ready) return ready;
    } else if (errno != EINTR) {
      return fail(Kind::io, describe(errno));
    }
  }
  return {};
}

std::expected<std::size_t, SocketError> ClientSocket::receive(std::span<char> buffer,
                                                              TimePoint deadline,
                                                              WaitContext context) {
  while (true) {
    // Waiting comes first, so that a stream that never pauses can still be woken.
    if (auto ready = await(fd_, POLLIN, deadline, context); !ready) {
      return std::unexpected(std::move(ready.error()));
    }
    const auto got = try_receive(buffer);
    if (got >= 0) return static_cast<std::size_t>(got);
    if (errno != EAGAIN && errno != EINTR) return fail(Kind::io, describe(errno));
  }
}

std::ptrdiff_t ClientSocket::try_send(std::string_view bytes) {
  return ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
}

std::ptrdiff_t ClientSocket::try_receive(std::span<char> buffer) {
  return ::recv(fd_, buffer.data(), buffer.size(), 0);
}

}  // namespace tocsin::net
