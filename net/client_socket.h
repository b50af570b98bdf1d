// A client's TCP connection: connect, send and receive with a deadline, interruptible.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "net/waiter.h"

namespace tocsin::net {

struct SocketError {
  enum class Kind : std::uint8_t {
    resolve,  // the name has no address, or the resolver did not answer
    connect,  // no address took the connection
    timeout,  // the deadline passed
    woken,    // the wake descriptor became readable
    io,       // an established connection broke (reset, network gone)
  };
  Kind kind = Kind::io;
  std::string message;  // a short sentence for a person
};

// How to wait: with which clock, and what interrupts it. `wake_fd` (-1: nothing) is watched for
// POLLIN and never read. Both must outlive the call that they are given to.
struct WaitContext {
  Waiter& waiter;
  int wake_fd = -1;
};

// Owns a nonblocking socket. Not thread-safe.
class ClientSocket {
 public:
  ClientSocket() = default;  // not connected
  ~ClientSocket();
  ClientSocket(ClientSocket&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  ClientSocket& operator=(ClientSocket&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }

  // Tries every address of `host` (a name or a numeric literal) in the resolver's order; each gets
  // an equal part of what is left until `deadline`. The look-up itself is getaddrinfo(3): it blocks
  // for as long as resolv.conf says and cannot be woken; literals do not pass through it.
  [[nodiscard]] static std::expected<ClientSocket, SocketError> connect(const std::string& host,
                                                                        std::uint16_t port,
                                                                        TimePoint deadline,
                                                                        WaitContext context);

  // Sends all of `bytes` or fails. Never raises SIGPIPE.
  [[nodiscard]] std::expected<void, SocketError> send_all(std::string_view bytes,
                                                          TimePoint deadline, WaitContext context);

  // Waits for bytes; 0 is the end of the stream.
  [[nodiscard]] std::expected<std::size_t, SocketError> receive(std::span<char> buffer,
                                                                TimePoint deadline,
                                                                WaitContext context);

  // One send(2) or recv(2) as they are: -1 and errno, EAGAIN included. Never raise SIGPIPE.
  [[nodiscard]] std::ptrdiff_t try_send(std::string_view bytes);
  [[nodiscard]] std::ptrdiff_t try_receive(std::span<char> buffer);

  [[nodiscard]] bool is_open() const { return fd_ >= 0; }
  [[nodiscard]] int fd() const { return fd_; }
  void close();

 private:
  explicit ClientSocket(int fd) : fd_(fd) {}
  friend class Connector;

  int fd_ = -1;
};

}  // namespace tocsin::net
