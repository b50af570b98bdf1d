#include "net/transport/stop_waiter.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdint>

#include "proto/assert.h"

namespace tocsin::net {
namespace {

// A connection for each direction, or one and an empty entry.
constexpr std::size_t kMostFds = 2;

}  // namespace

StopWaiter::StopWaiter() : event_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

StopWaiter::~StopWaiter() {
  if (event_ >= 0) ::close(event_);
}

void StopWaiter::wake() {
  const std::uint64_t one = 1;
  // It fails only where it would overflow, and then there is something to read.
  [[maybe_unused]] const auto written = ::write(event_, &one, sizeof(one));
}

void StopWaiter::stop() {
  stopped_ = true;
  wake();
}

TimePoint StopWaiter::now() {
  return stopped() ? kNever : system_waiter().now();
}

int StopWaiter::wait(std::span<pollfd> fds, TimePoint deadline) {
  TOCSIN_ASSERT(fds.size() <= kMostFds);
  if (stopped()) return 0;
  std::array<pollfd, kMostFds + 1> all{};
  std::ranges::copy(fds, all.begin());
  all[fds.size()] = {.fd = event_, .events = POLLIN, .revents = 0};
  system_waiter().wait(std::span(all).first(fds.size() + 1), deadline);
  std::uint64_t count = 0;
  if (all[fds.size()].revents != 0) {
    [[maybe_unused]] const auto got = ::read(event_, &count, sizeof(count));
  }
  for (std::size_t i = 0; i < fds.size(); ++i) fds[i].revents = all[i].revents;
  return static_cast<int>(std::ranges::count_if(fds, [](const pollfd& one) {
    return one.revents != 0;
  }));
}

}  // namespace tocsin::net
