#pragma once

#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <string>

#include "tests/net/support/own_port.h"

namespace tocsin::net {

// Accepts nothing, and its queue is full: SYNs are dropped, a connection stays under way.
class FullListener {
 public:
  FullListener() {
    for (int& fd : fillers_) {
      fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
      [[maybe_unused]] const int pending = connect(fd, port_.raw(), port_.where().size);
    }
  }
  ~FullListener() {
    for (const int fd : fillers_) ::close(fd);
    ::close(listener_);
  }
  FullListener(const FullListener&) = delete;
  FullListener& operator=(const FullListener&) = delete;

  [[nodiscard]] const SocketAddress& where() const { return port_.where(); }
  [[nodiscard]] std::string url() const { return port_.url(); }

 private:
  OwnPort port_;
  int listener_ = port_.listen(0);  // one or two are taken into its queue all the same
  std::array<int, 3> fillers_{};
};

}  // namespace tocsin::net
