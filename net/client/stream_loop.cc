#include "net/client/stream_loop.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <span>
#include <system_error>
#include <utility>

#include "net/client/event_request.h"
#include "proto/assert.h"

namespace tocsin::net {

StreamLoop::StreamLoop(EventSourceOptions options, EventSourceCallbacks callbacks, Url url,
                       int wake_fd, std::size_t buffer_bytes)
    : wake_fd_(wake_fd),
      waiter_(options.waiter != nullptr ? *options.waiter : system_waiter()),
      stream_(std::move(options), std::move(callbacks), std::move(url), stopping_, waiter_),
      buffer_(buffer_bytes) {
  TOCSIN_ASSERT(wake_fd_ >= 0 && buffer_bytes > 0);
}

StreamLoop::~StreamLoop() {
  ::close(wake_fd_);
}

std::expected<std::unique_ptr<StreamLoop>, std::string> StreamLoop::create(
    EventSourceOptions options, EventSourceCallbacks callbacks, std::size_t buffer_bytes) {
  auto url = check_options(options);
  if (!url) return std::unexpected(std::move(url.error()));
  const int wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (wake_fd < 0) {
    return std::unexpected("no eventfd: " + std::system_category().message(errno));
  }
  return std::unique_ptr<StreamLoop>(new StreamLoop(std::move(options), std::move(callbacks),
                                                    std::move(*url), wake_fd, buffer_bytes));
}

void StreamLoop::step(TimePoint until) {
  TOCSIN_ASSERT(!is_over());
  if (const Url* url = stream_.wants_addresses()) {
    stream_.on_addresses(stream_.look_up_serial(), look_up(url->host, url->port));
    return;
  }
  const short revents = wait(until);
  if (!stopping()) stream_.handle(revents, buffer_);
}

// Returns what happened to the stream's descriptor.
short StreamLoop::wait(TimePoint until) {
  std::array<pollfd, 2> fds{{{wake_fd_, POLLIN, 0}, stream_.poll_request()}};
  const std::size_t count = fds[1].fd >= 0 ? 2 : 1;
  waiter_.wait(std::span(fds).first(count), std::min(until, stream_.deadline()));
  return fds[1].revents;
}

void StreamLoop::stop() noexcept {
  stopping_.store(true, std::memory_order_release);
  const int saved_errno = errno;  // a signal handler must leave it as it was
  const std::uint64_t one = 1;
  // The only failure is a counter at its end, 2^64 stops later: it is readable then too.
  [[maybe_unused]] const auto written = ::write(wake_fd_, &one, sizeof one);
  errno = saved_errno;
}

EventSourceResult StreamLoop::result() const {
  TOCSIN_ASSERT(is_over() || stopping());
  if (stopping()) return {EventSourceResult::End::stopped, stream_.result().status, ""};
  return stream_.result();
}

}  // namespace tocsin::net
