// Waits for thousands of sockets and receives from them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "tools/load/options/load_options.h"

namespace tocsin::load {

// Names one connection of a slot: the next one of the same slot has another generation, so that
// what the kernel still reports of the old one is recognised. 24 bits of the generation count.
struct PollToken {
  std::uint32_t slot = 0;
  std::uint32_t generation = 0;

  friend bool operator==(const PollToken&, const PollToken&) = default;
};
inline constexpr std::uint32_t kGenerationMask = (1U << 24) - 1;

// Told by Poller::wait(), on its thread. Each of these may watch, forget and close any slot.
class PollHandler {
 public:
  virtual ~PollHandler() = default;
  // The slot's descriptor if the token is of its present connection and is being watched; -1
  // otherwise: the report is then dropped.
  [[nodiscard]] virtual int fd_of(PollToken token) = 0;
  // The connection is established, or has failed: the next send() says which.
  virtual void on_writable(PollToken token) = 0;
  // Valid during the call. kFront bytes in front of `bytes` may be overwritten.
  virtual void on_bytes(PollToken token, char* bytes, std::size_t size) = 0;
  // The peer ended the connection (0), or it broke (an errno). The descriptor is still open.
  virtual void on_end(PollToken token, int error) = 0;
};

// Level semantics: as long as a watched socket has bytes or its end unread, wait() comes back to
// it. Made by, and used from, one thread.
class Poller {
 public:
  // Room in front of received bytes.
  static constexpr std::size_t kFront = std::size_t{8} * 1024;

  virtual ~Poller() = default;
  // Reports on_writable() once. `fd` is a nonblocking socket with a connect() under way.
  virtual void watch_connect(PollToken token, int fd) = 0;
  // Receives from now on.
  virtual void watch(PollToken token, int fd) = 0;
  // Before the descriptor is closed or read by other means. Nothing of the token is reported
  // afterwards if fd_of() is -1 for it.
  virtual void forget(PollToken token, int fd) = 0;
  // Lets go of what has been forgotten: a socket closed by now is closed for its peer too. wait()
  // does it as well.
  virtual void flush() = 0;
  // Waits at most `timeout_ms` (-1: without limit) for reports, or for the wake descriptor, and
  // delivers what there is.
  virtual void wait(int timeout_ms, PollHandler& handler) = 0;
  [[nodiscard]] virtual std::string_view name() const = 0;  // "io_uring", "epoll"
};

// `wake_fd`: an eventfd that ends a wait(); it is reset by that. Outlives the poller. `automatic`
// is io_uring, or epoll where the kernel refuses it. The error is a sentence for a person.
[[nodiscard]] std::expected<std::unique_ptr<Poller>, std::string> make_poller(IoKind kind,
                                                                              int wake_fd);
using PollerMaker = std::function<decltype(make_poller)>;

}  // namespace tocsin::load
