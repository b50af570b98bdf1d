#include "tools/base/stop_watcher.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <system_error>

#include "net/transport/waiter.h"
#include "proto/assert.h"

namespace tocsin::tools {
namespace {

void raise_event(int fd) {
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = ::write(fd, &one, sizeof one);  // a fresh counter has room
}

}  // namespace

sigset_t stop_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) {
    struct sigaction action{};
    sigaction(number, nullptr, &action);
    if (action.sa_handler != SIG_IGN) sigaddset(&set, number);
  }
  return set;
}

StopWatcher::StopWatcher(int out_fd, std::function<void()> stop)
    : out_fd_(out_fd), stop_(std::move(stop)) {
  const sigset_t signals = stop_signals();
  pthread_sigmask(SIG_BLOCK, &signals, &old_mask_);
  signal_fd_ = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
  stopped_fd_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  done_fd_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
}

std::expected<std::unique_ptr<StopWatcher>, std::string> StopWatcher::create(
    int out_fd, std::optional<std::chrono::milliseconds> timeout, std::function<void()> stop) {
  std::unique_ptr<StopWatcher> watcher(new StopWatcher(out_fd, std::move(stop)));
  if (watcher->signal_fd_ < 0 || watcher->stopped_fd_ < 0 || watcher->done_fd_ < 0) {
    return std::unexpected(std::system_category().message(errno));
  }
  try {
    watcher->thread_ = std::thread([raw = watcher.get(), timeout] { raw->watch(timeout); });
  } catch (const std::system_error& error) {
    return std::unexpected(std::string(error.what()));
  }
  return watcher;
}

StopWatcher::~StopWatcher() {
  TOCSIN_ASSERT(std::this_thread::get_id() == creator_);  // whose signals are let through again
  if (thread_.joinable()) {
    raise_event(done_fd_);
    thread_.join();
  }
  // Those that came meanwhile are dealt with, not left to kill the process on unblocking.
  signalfd_siginfo info;
  while (signal_fd_ >= 0 && ::read(signal_fd_, &info, sizeof info) > 0) {
  }
  for (const int fd : {signal_fd_, stopped_fd_, done_fd_}) {
    if (fd >= 0) ::close(fd);
  }
  pthread_sigmask(SIG_SETMASK, &old_mask_, nullptr);
}

void StopWatcher::watch(std::optional<std::chrono::milliseconds> timeout) {
  net::Waiter& waiter = net::system_waiter();
  const auto deadline = timeout ? waiter.now() + *timeout : net::kNever;
  Cause cause = Cause::none;
  while (cause == Cause::none) {
    // No events are asked of the output: poll reports its reader's leaving (POLLERR, POLLHUP)
    // anyway.
    std::array<pollfd, 3> fds{{{done_fd_, POLLIN, 0}, {signal_fd_, POLLIN, 0}, {out_fd_, 0, 0}}};
    waiter.wait(fds, deadline);
    if (fds[0].revents != 0) return;
    if (fds[1].revents != 0) {
      cause = Cause::signal;
    } else if (fds[2].revents != 0) {
      cause = Cause::output_closed;
    } else if (waiter.now() >= deadline) {
      cause = Cause::timeout;
    }
  }
  cause_.store(cause, std::memory_order_release);
  raise_event(stopped_fd_);
  stop_();
}

}  // namespace tocsin::tools
