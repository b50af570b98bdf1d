#include "net/listener.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>

#include <fmt/format.h>

namespace tocsin::net {
namespace {

// Per shard; a quarter of the completion queue, so that a burst of accepts cannot overflow it. The
// kernel lowers it to net.core.somaxconn.
constexpr int kBacklog = 4096;
// See check_not_in_use: half a second.
constexpr int kBindTries = 25;
constexpr unsigned kBindPauseUs = 20'000;

bool set_option(int fd, int level, int option, int value) {
  return ::setsockopt(fd, level, option, &value, sizeof(value)) == 0;
}

std::unexpected<std::string> failure(int fd, std::string_view what, const ListenAddress& address) {
  const int error = errno;
  if (fd >= 0) ::close(fd);
  return std::unexpected(fmt::format(
      "cannot {} {}: {}", what, format_address(reinterpret_cast<const sockaddr*>(&address.storage)),
      std::strerror(error)));
}

}  // namespace

std::expected<Listening, std::string> listen_on(const ListenAddress& address,
                                                std::uint32_t send_buffer,
                                                std::uint32_t user_timeout_ms) {
  // Non-blocking for epoll; io_uring's multishot accept waits on it all the same.
  const int family = address.storage.ss_family;
  const int fd = ::socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return failure(fd, "open a socket for", address);
  if (!set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1) ||
      !set_option(fd, SOL_SOCKET, SO_REUSEPORT, 1)) {
    return failure(fd, "share", address);
  }
  if (family == AF_INET6) set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
  set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  set_option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, static_cast<int>(user_timeout_ms));
  if (send_buffer != 0) set_option(fd, SOL_SOCKET, SO_SNDBUF, static_cast<int>(send_buffer));
  if (::bind(fd, reinterpret_cast<const sockaddr*>(&address.storage), address.length) != 0) {
    return failure(fd, "bind", address);
  }
  if (::listen(fd, kBacklog) != 0) return failure(fd, "listen on", address);
  Listening result{.fd = fd, .address = {}};
  result.address.length = sizeof(result.address.storage);
  if (::getsockname(fd, reinterpret_cast<sockaddr*>(&result.address.storage),
                    &result.address.length) != 0) {
    return failure(fd, "name", address);
  }
  return result;
}

std::expected<void, std::string> check_not_in_use(const ListenAddress& address) {
  const int family = address.storage.ss_family;
  const int fd = ::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return failure(fd, "open a socket for", address);
  // Connections of an earlier process in TIME_WAIT are no obstacle; a listener is.
  set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
  if (family == AF_INET6) set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
  const auto bound = [&] {
    return ::bind(fd, reinterpret_cast<const sockaddr*>(&address.storage), address.length) == 0;
  };
  // A ring is torn down after its process is gone: a restart may meet the old one's listener.
  for (int i = 0; i < kBindTries && !bound(); ++i) {
    if (errno != EADDRINUSE || i + 1 == kBindTries) return failure(fd, "bind", address);
    ::usleep(kBindPauseUs);
  }
  ::close(fd);
  return {};
}

}  // namespace tocsin::net
