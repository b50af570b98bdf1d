#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>
#include <vector>

#include "proto/assert.h"
#include "tools/load/subscribers/poller_kinds.h"

namespace tocsin::load {
namespace {

// Large enough that a saturated stream is read in few calls, small enough for the cache.
constexpr std::size_t kReadBytes = std::size_t{256} * 1024;
constexpr std::uint64_t kWake = ~std::uint64_t{0};  // no slot has this number

std::uint64_t pack(PollToken token) {
  return (std::uint64_t{token.generation} << 32) | token.slot;
}

// Level-triggered, so that nothing has to be remembered of a socket that was read in part.
class EpollPoller final : public Poller {
 public:
  EpollPoller(int epoll, int wake_fd)
      : epoll_(epoll), wake_fd_(wake_fd), buffer_(kFront + kReadBytes) {
    epoll_event event{.events = EPOLLIN, .data = {.u64 = kWake}};
    TOCSIN_ASSERT(epoll_ctl(epoll_, EPOLL_CTL_ADD, wake_fd, &event) == 0);
  }
  ~EpollPoller() override { close(epoll_); }
  EpollPoller(const EpollPoller&) = delete;
  EpollPoller& operator=(const EpollPoller&) = delete;

  void watch_connect(PollToken token, int fd) override { set(token, fd, EPOLLOUT | EPOLLONESHOT); }
  void watch(PollToken token, int fd) override { set(token, fd, EPOLLIN); }
  // Closing would do it too, but for a socket that is read by other means it would not.
  void forget(PollToken, int fd) override { epoll_ctl(epoll_, EPOLL_CTL_DEL, fd, nullptr); }
  void flush() override {}
  [[nodiscard]] std::string_view name() const override { return "epoll"; }

  void wait(int timeout_ms, PollHandler& handler) override {
    const int ready =
        epoll_wait(epoll_, events_.data(), static_cast<int>(events_.size()), timeout_ms);
    for (int i = 0; i < ready; ++i) on_ready(events_[static_cast<std::size_t>(i)], handler);
  }

 private:
  void set(PollToken token, int fd, std::uint32_t events) const {
    epoll_event event{.events = events, .data = {.u64 = pack(token)}};
    if (epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event) == 0) return;
    // ENOMEM and ENOSPC (fs.epoll.max_user_watches) leave nothing that could go on.
    TOCSIN_ASSERT(errno == EEXIST && epoll_ctl(epoll_, EPOLL_CTL_MOD, fd, &event) == 0);
  }

  void on_ready(const epoll_event& event, PollHandler& handler) {
    if (event.data.u64 == kWake) {
      std::uint64_t count = 0;
      [[maybe_unused]] const ssize_t n = read(wake_fd_, &count, sizeof count);
      return;
    }
    const PollToken token{.slot = static_cast<std::uint32_t>(event.data.u64),
                          .generation = static_cast<std::uint32_t>(event.data.u64 >> 32)};
    const int fd = handler.fd_of(token);
    if (fd < 0) return;  // closed earlier in this batch
    // A watch for EPOLLOUT is for nothing else, and tells of errors in its own way.
    if ((event.events & EPOLLOUT) != 0) return handler.on_writable(token);
    char* const bytes = buffer_.data() + kFront;
    const ssize_t got = recv(fd, bytes, kReadBytes, MSG_DONTWAIT);
    if (got > 0) {
      handler.on_bytes(token, bytes, static_cast<std::size_t>(got));
    } else if (got == 0) {
      handler.on_end(token, 0);
    } else if (errno != EAGAIN && errno != EINTR) {
      handler.on_end(token, errno);
    }
  }

  int epoll_;
  int wake_fd_;
  std::vector<char> buffer_;
  std::array<epoll_event, 512> events_{};
};

}  // namespace

std::expected<std::unique_ptr<Poller>, std::string> make_epoll_poller(int wake_fd) {
  const int epoll = epoll_create1(EPOLL_CLOEXEC);
  if (epoll < 0) return std::unexpected(std::string("epoll: ") + std::strerror(errno));
  return std::make_unique<EpollPoller>(epoll, wake_fd);
}

}  // namespace tocsin::load
