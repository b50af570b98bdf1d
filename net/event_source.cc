#include "net/event_source.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <span>
#include <system_error>
#include <utility>
#include <vector>

#include "net/event_request.h"
#include "net/event_stream.h"

namespace tocsin::net {
namespace {

constexpr std::size_t kReadBuffer = 64U * 1024;

}  // namespace

class EventSource::Impl {
 public:
  Impl(EventSourceOptions options, EventSourceCallbacks callbacks, Url url, int wake_fd)
      : wake_fd_(wake_fd),
        waiter_(options.waiter != nullptr ? *options.waiter : system_waiter()),
        stream_(std::move(options), std::move(callbacks), std::move(url), stopping_, waiter_),
        buffer_(kReadBuffer) {}
  ~Impl() { ::close(wake_fd_); }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  EventSourceResult run();
  void stop() noexcept;
  [[nodiscard]] const std::string& last_event_id() const { return stream_.last_event_id(); }

 private:
  [[nodiscard]] bool stopping() const { return stopping_.load(std::memory_order_acquire); }
  short wait();

  const int wake_fd_;  // an eventfd; readable for ever once stop() was called
  Waiter& waiter_;
  std::atomic<bool> stopping_{false};
  static_assert(std::atomic<bool>::is_always_lock_free, "stop() is called from signal handlers");
  EventStream stream_;
  std::vector<char> buffer_;
};

EventSourceResult EventSource::Impl::run() {
  short revents = 0;
  while (!stopping()) {
    stream_.handle(revents, buffer_);
    if (stream_.is_over()) break;
    if (const Url* url = stream_.wants_addresses()) {
      stream_.on_addresses(stream_.look_up_serial(), look_up(url->host, url->port));
      revents = 0;
    } else {
      revents = wait();
    }
  }
  if (stopping()) return {EventSourceResult::End::stopped, stream_.result().status, ""};
  return stream_.result();
}

// Returns what happened to the stream's descriptor.
short EventSource::Impl::wait() {
  std::array<pollfd, 2> fds{{{wake_fd_, POLLIN, 0}, stream_.poll_request()}};
  const std::size_t count = fds[1].fd >= 0 ? 2 : 1;
  waiter_.wait(std::span(fds).first(count), stream_.deadline());
  return fds[1].revents;
}

void EventSource::Impl::stop() noexcept {
  stopping_.store(true, std::memory_order_release);
  const int saved_errno = errno;  // a signal handler must leave it as it was
  const std::uint64_t one = 1;
  // The only failure is a counter at its end, 2^64 stops later: it is readable then too.
  [[maybe_unused]] const auto written = ::write(wake_fd_, &one, sizeof one);
  errno = saved_errno;
}

EventSource::EventSource(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
EventSource::~EventSource() = default;

std::expected<std::unique_ptr<EventSource>, std::string> EventSource::create(
    EventSourceOptions options, EventSourceCallbacks callbacks) {
  auto url = check_options(options);
  if (!url) return std::unexpected(std::move(url.error()));
  const int wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (wake_fd < 0) {
    return std::unexpected("no eventfd: " + std::system_category().message(errno));
  }
  return std::unique_ptr<EventSource>(new EventSource(
      std::make_unique<Impl>(std::move(options), std::move(callbacks), std::move(*url), wake_fd)));
}

EventSourceResult EventSource::run() {
  return impl_->run();
}
void EventSource::stop() noexcept {
  impl_->stop();
}
const std::string& EventSource::last_event_id() const {
  return impl_->last_event_id();
}

}  // namespace tocsin::net
