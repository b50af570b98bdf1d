// One EventStream, driven in the calling thread: what EventSource and EventReader are made of.
#pragma once

#include <atomic>
#include <cstddef>
#include <expected>
#include <memory>
#include <string>
#include <vector>

#include "net/client/event_source.h"
#include "net/client/event_stream.h"
#include "net/transport/url.h"
#include "net/transport/waiter.h"

namespace tocsin::net {

// Thread-safety: stop() and stopping() from any thread, stop() also from signal handlers; the rest
// in one thread. Descriptors: an eventfd, and a socket while connected.
class StreamLoop {
 public:
  // `buffer_bytes`: what one read of the socket may bring. The error says in words which option is
  // wrong, or that there is no descriptor left.
  [[nodiscard]] static std::expected<std::unique_ptr<StreamLoop>, std::string> create(
      EventSourceOptions options, EventSourceCallbacks callbacks, std::size_t buffer_bytes);
  ~StreamLoop();
  StreamLoop(const StreamLoop&) = delete;
  StreamLoop& operator=(const StreamLoop&) = delete;

  // Waits until there is something to do, `until` or stop(), and does it: at most one read. A name
  // look-up, which a step may be, takes no heed of either (net/transport/resolver.h).
  void step(TimePoint until);

  void stop() noexcept;
  [[nodiscard]] bool stopping() const { return stopping_.load(std::memory_order_acquire); }
  [[nodiscard]] bool is_over() const { return stream_.is_over(); }
  // REQUIRES: is_over() or stopping().
  [[nodiscard]] EventSourceResult result() const;
  [[nodiscard]] const std::string& last_event_id() const { return stream_.last_event_id(); }
  [[nodiscard]] TimePoint now() const { return waiter_.now(); }

 private:
  StreamLoop(EventSourceOptions options, EventSourceCallbacks callbacks, Url url, int wake_fd,
             std::size_t buffer_bytes);
  short wait(TimePoint until);

  const int wake_fd_;  // an eventfd; readable for ever once stop() was called
  Waiter& waiter_;
  std::atomic<bool> stopping_{false};
  static_assert(std::atomic<bool>::is_always_lock_free, "stop() is called from signal handlers");
  EventStream stream_;
  std::vector<char> buffer_;
};

}  // namespace tocsin::net
