#include "tools/load/subscribers/poller.h"

#include "tools/load/subscribers/poller_kinds.h"

namespace tocsin::load {

std::expected<std::unique_ptr<Poller>, std::string> make_poller(IoKind kind, int wake_fd) {
  if (kind == IoKind::epoll) return make_epoll_poller(wake_fd);
  auto uring = make_uring_poller(wake_fd);
  if (uring || kind == IoKind::uring) return uring;
  return make_epoll_poller(wake_fd);
}

}  // namespace tocsin::load
