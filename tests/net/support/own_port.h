// Ports where nobody listens, for sure.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string>

#include "net/transport/look_up.h"

namespace tocsin::net {

// A port of a loopback address, owned for as long as this lives: bound, but nobody listens, so a
// connection to it is refused. A port whose listener was closed is no such thing: whoever binds
// port 0 next may be given it, and a client that is given it at its own end connects to itself.
class OwnPort {
 public:
  explicit OwnPort(int family = AF_INET)
      : where_(parse_literal(family == AF_INET ? "127.0.0.1" : "::1", 0).value().front()),
        holder_(bound()) {
    if (getsockname(holder_, reinterpret_cast<sockaddr*>(&where_.storage), &where_.size) != 0) {
      give_up();
    }
  }
  ~OwnPort() { ::close(holder_); }
  OwnPort(const OwnPort&) = delete;
  OwnPort& operator=(const OwnPort&) = delete;

  // A socket that listens on it. The caller closes it; connections are refused then as before.
  [[nodiscard]] int listen(int backlog) const {
    const int listener = bound();
    if (::listen(listener, backlog) != 0) give_up();
    return listener;
  }

  [[nodiscard]] const SocketAddress& where() const { return where_; }
  [[nodiscard]] const sockaddr* raw() const {
    return reinterpret_cast<const sockaddr*>(&where_.storage);
  }
  [[nodiscard]] int number() const {
    // In the same place in both families.
    return ntohs(reinterpret_cast<const sockaddr_in*>(&where_.storage)->sin_port);
  }
  // HOST:PORT
  [[nodiscard]] std::string address() const {
    const bool is_v4 = where_.storage.ss_family == AF_INET;
    return (is_v4 ? "127.0.0.1:" : "[::1]:") + std::to_string(number());
  }
  [[nodiscard]] std::string url() const { return "http://" + address(); }

 private:
  // Two sockets with SO_REUSEADDR share a port unless both listen.
  [[nodiscard]] int bound() const {
    const int fd = socket(where_.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const int on = 1;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
        bind(fd, raw(), where_.size) != 0) {
      give_up();
    }
    return fd;
  }
  [[noreturn]] static void give_up() {
    std::perror("a port of our own");
    std::abort();
  }

  SocketAddress where_;  // with the port once `holder_` is bound
  int holder_;
};

}  // namespace tocsin::net
