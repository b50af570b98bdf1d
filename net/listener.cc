#include "net/listener.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <string>
#include <thread>

#include <fmt/format.h>

#include "net/log.h"
#include "proto/limits.h"

namespace tocsin::net {
namespace {

// Per shard; a quarter of the completion queue, so that a burst of accepts cannot overflow it. The
// kernel lowers it to net.core.somaxconn.
constexpr int kBacklog = 4096;
constexpr std::chrono::milliseconds kPause{20};  // between two tries

bool set_option(int fd, int level, int option, int value) {
  return ::setsockopt(fd, level, option, &value, sizeof(value)) == 0;
}

// What the kernel refused, and errno.
struct Refusal {
  const char* what;
  int error;
};

// Non-blocking for epoll; io_uring's multishot accept waits on it all the same.
std::expected<int, Refusal> try_listen(const ListenAddress& address, Place place,
                                       std::uint32_t send_buffer, std::uint32_t user_timeout_ms) {
  const int family = address.storage.ss_family;
  const int fd = ::socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return std::unexpected(Refusal{"open a socket for", errno});
  const auto refused = [fd](const char* what) {
    const int error = errno;
    ::close(fd);
    return std::unexpected(Refusal{what, error});
  };
  const auto share = [fd] { return set_option(fd, SOL_SOCKET, SO_REUSEPORT, 1); };
  if (!set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1)) return refused("share");
  if (place == Place::beside && !share()) return refused("share");
  if (family == AF_INET6) set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
  set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  set_option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, static_cast<int>(user_timeout_ms));
  set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
  set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, static_cast<int>(limits::kKeepAliveIdleS));
  set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, static_cast<int>(limits::kKeepAliveProbeS));
  if (send_buffer != 0) set_option(fd, SOL_SOCKET, SO_SNDBUF, static_cast<int>(send_buffer));
  if (::bind(fd, reinterpret_cast<const sockaddr*>(&address.storage), address.length) != 0) {
    return refused("bind");
  }
  // SO_REUSEADDR lets two sockets bind as long as neither listens: this is where one of them wins.
  if (::listen(fd, kBacklog) != 0) return refused("listen on");
  if (place == Place::first && !share()) return refused("share");
  return fd;
}

}  // namespace

std::expected<Listening, std::string> listen_on(const ListenAddress& address, Place place,
                                                std::uint32_t send_buffer,
                                                std::uint32_t user_timeout_ms,
                                                std::chrono::milliseconds patience) {
  const std::string text = format_address(reinterpret_cast<const sockaddr*>(&address.storage));
  auto fd = try_listen(address, place, send_buffer, user_timeout_ms);
  for (auto rest = patience;
       !fd && place == Place::first && fd.error().error == EADDRINUSE && rest.count() > 0;
       rest -= kPause) {
    if (rest == patience) {
      log::info("the address is in use, waiting for it",
                {{"address", text}, {"most_ms", patience.count()}});
    }
    std::this_thread::sleep_for(kPause);
    fd = try_listen(address, place, send_buffer, user_timeout_ms);
  }
  if (!fd) {
    return std::unexpected(
        fmt::format("cannot {} {}: {}", fd.error().what, text, std::strerror(fd.error().error)));
  }
  Listening result{.fd = *fd, .address = {}};
  result.address.length = sizeof(result.address.storage);
  ::getsockname(*fd, reinterpret_cast<sockaddr*>(&result.address.storage), &result.address.length);
  return result;
}

}  // namespace tocsin::net
