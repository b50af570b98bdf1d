#include "net/io/listener.h"

#include <fcntl.h>
#include <linux/socket.h>  // SOCK_SNDBUF_LOCK
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

// Nothing: there is no such option of it.
std::optional<int> option_of(int fd, int level, int option) {
  int value = 0;
  socklen_t size = sizeof(value);
  if (::getsockopt(fd, level, option, &value, &size) != 0) return std::nullopt;
  return value;
}

bool share(int fd) {
  return set_option(fd, SOL_SOCKET, SO_REUSEPORT, 1);
}

// One that was set before stays set, and then keeps the kernel from its own choice, until its lock
// is taken away (SO_BUF_LOCK, Linux 5.15). What connections begin with is then what the kernel
// begins with, tcp_wmem's 16 KiB.
void set_send_buffer(int fd, std::uint32_t bytes) {
  if (bytes != 0) {
    set_option(fd, SOL_SOCKET, SO_SNDBUF, static_cast<int>(bytes));
    return;
  }
  const int locks = option_of(fd, SOL_SOCKET, SO_BUF_LOCK).value_or(0);
  if ((locks & SOCK_SNDBUF_LOCK) == 0) return;
  set_option(fd, SOL_SOCKET, SO_SNDBUF, 8 * 1024);  // the kernel doubles it
  set_option(fd, SOL_SOCKET, SO_BUF_LOCK, locks & ~SOCK_SNDBUF_LOCK);
}

void set_options(int fd, const ListenOptions& options) {
  set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  set_option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, static_cast<int>(options.user_timeout_ms));
  set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
  set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, static_cast<int>(limits::kKeepAliveIdleS));
  set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, static_cast<int>(limits::kKeepAliveProbeS));
  set_send_buffer(fd, options.send_buffer);
}

ListenAddress address_of(int fd) {
  ListenAddress address{.length = sizeof(address.storage)};
  ::getsockname(fd, reinterpret_cast<sockaddr*>(&address.storage), &address.length);
  return address;
}

// What the kernel refused, and errno.
struct ListenFault {
  const char* what;
  int error;
};

// Non-blocking for epoll; io_uring's multishot accept waits on it all the same.
std::expected<int, ListenFault> try_listen(const ListenAddress& address, ListenRole role,
                                           const ListenOptions& options) {
  const int family = address.storage.ss_family;
  const int fd = ::socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return std::unexpected(ListenFault{"open a socket for", errno});
  const auto refused = [fd](const char* what) {
    const int error = errno;
    ::close(fd);
    return std::unexpected(ListenFault{what, error});
  };
  if (!set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1)) return refused("share");
  if (role == ListenRole::beside && !share(fd)) return refused("share");
  if (family == AF_INET6) set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
  set_options(fd, options);
  if (::bind(fd, reinterpret_cast<const sockaddr*>(&address.storage), address.length) != 0) {
    return refused("bind");
  }
  // SO_REUSEADDR lets two sockets bind as long as neither listens: this is where one of them wins.
  if (::listen(fd, kBacklog) != 0) return refused("listen on");
  if (role == ListenRole::first && !share(fd)) return refused("share");
  return fd;
}

}  // namespace

std::expected<Listening, std::string> listen_on(const ListenAddress& address, ListenRole role,
                                                const ListenOptions& options,
                                                std::chrono::milliseconds patience) {
  const std::string text = format_address(address);
  auto fd = try_listen(address, role, options);
  for (auto rest = patience;
       !fd && role == ListenRole::first && fd.error().error == EADDRINUSE && rest.count() > 0;
       rest -= kPause) {
    if (rest == patience) {
      log::info("the address is in use, waiting for it",
                {{"address", text}, {"most_ms", patience.count()}});
    }
    std::this_thread::sleep_for(kPause);
    fd = try_listen(address, role, options);
  }
  if (!fd) {
    return std::unexpected(
        fmt::format("cannot {} {}: {}", fd.error().what, text, std::strerror(fd.error().error)));
  }
  return Listening{.fd = *fd, .address = address_of(*fd)};
}

std::optional<ListenAddress> listening_address(int fd) {
  const bool listens = option_of(fd, SOL_SOCKET, SO_ACCEPTCONN).value_or(0) != 0;
  const int family = option_of(fd, SOL_SOCKET, SO_DOMAIN).value_or(AF_UNSPEC);
  if (!listens || (family != AF_INET && family != AF_INET6)) return std::nullopt;
  if (option_of(fd, SOL_SOCKET, SO_PROTOCOL) != IPPROTO_TCP) return std::nullopt;
  return address_of(fd);
}

void adopt_listener(int fd, const ListenOptions& options) {
  ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK);
  (void)share(fd);
  set_options(fd, options);
  ::listen(fd, kBacklog);  // the length of its queue alone
}

}  // namespace tocsin::net
