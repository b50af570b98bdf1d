// A client's connection, TCP or TLS over TCP, that never blocks.
#pragma once

#include <poll.h>

#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "net/transport/look_up.h"
#include "net/transport/socket_error.h"
#include "net/transport/tls.h"
#include "net/transport/waiter.h"

namespace tocsin::net {

// Owns a nonblocking socket. Not thread-safe. Never raises SIGPIPE.
//
//   waiter.wait({fd(), events(have_bytes_to_send)}, ...) unless has_buffered(); after any event,
//   try what there is to do of send() and receive(): with TLS, either may wait for the other
//   direction.
class ClientSocket {
 public:
  ClientSocket() = default;                   // not connected
  explicit ClientSocket(int fd) : fd_(fd) {}  // takes it over
  ~ClientSocket() { close(); }
  ClientSocket(ClientSocket&& other) noexcept
      : fd_(std::exchange(other.fd_, -1)),
        tls_(std::move(other.tls_)),
        error_(std::move(other.error_)) {}
  ClientSocket& operator=(ClientSocket&& other) noexcept {
    std::swap(fd_, other.fd_);
    std::swap(tls_, other.tls_);
    std::swap(error_, other.error_);
    return *this;
  }

  // From here on everything passes through TLS; handshake() first. The error is a sentence.
  [[nodiscard]] std::expected<void, std::string> start_tls(
      std::shared_ptr<const TlsContext> context, const std::string& host);
  [[nodiscard]] Transfer handshake();

  // After would_block of a TLS connection the same bytes must be offered again, or more.
  [[nodiscard]] Transfer send(std::string_view bytes);
  [[nodiscard]] Transfer receive(std::span<char> buffer);
  // Bytes can be received that poll(2) does not announce.
  [[nodiscard]] bool has_buffered() const { return tls_ != nullptr && tls_->has_buffered(); }
  // After receive() said `ended`: it was the peer that ended it. False only with TLS, where the
  // end of the connection without a close_notify proves nothing (RFC 9112, 9.8).
  [[nodiscard]] bool ended_properly() const { return tls_ == nullptr || tls_->ended_properly(); }

  [[nodiscard]] short events(bool sending) const;
  [[nodiscard]] bool is_open() const { return fd_ >= 0; }
  [[nodiscard]] int fd() const { return fd_; }
  // After `failed`: a short sentence for a person.
  [[nodiscard]] const std::string& error() const;
  void close();

 private:
  [[nodiscard]] Transfer outcome(std::ptrdiff_t moved);

  int fd_ = -1;
  std::unique_ptr<TlsSession> tls_;  // null: plain
  std::string error_;
};

// Where a connection goes. `tls`: null: plain.
struct Destination {
  std::string host;  // a name or a literal, for the certificate and for messages
  std::uint16_t port = 0;
  std::shared_ptr<const TlsContext> tls;
};

// Makes a connection: tries every address in order, each for an equal part of what is left until
// the deadline; then shakes hands on TLS with the first that took it. Never blocks.
class Connector {
 public:
  using Result = std::expected<ClientSocket, SocketError>;

  Connector(Addresses addresses, Destination destination, TimePoint deadline)
      : addresses_(std::move(addresses)),
        destination_(std::move(destination)),
        deadline_(deadline) {}

  // Goes on as far as possible; nothing: wait. `revents`: what poll reported, 0 at first and when a
  // deadline passed. REQUIRES: it has not returned a result yet.
  [[nodiscard]] std::optional<Result> advance(short revents, TimePoint now);

  // What to wait for, and until when.
  [[nodiscard]] pollfd poll_request() const;
  [[nodiscard]] TimePoint deadline() const { return step_deadline_; }
  // How many addresses were tried; changes with the descriptor.
  [[nodiscard]] std::size_t tried() const { return next_; }

 private:
  enum class Stage : std::uint8_t { next_address, connecting, handshake, over };

  [[nodiscard]] std::optional<Result> go_on(short revents, TimePoint now);
  [[nodiscard]] bool start_next(TimePoint now);
  [[nodiscard]] bool finish_connecting(short revents);
  void fail_address(std::string why, SocketError::Kind kind = SocketError::Kind::connect);
  [[nodiscard]] Result fail(SocketError::Kind kind, const std::string& why) const;

  Addresses addresses_;
  Destination destination_;
  TimePoint deadline_;
  TimePoint step_deadline_ = kNever;  // of the address that is being tried, or of the handshake
  std::size_t next_ = 0;
  Stage stage_ = Stage::next_address;
  ClientSocket socket_;
  SocketError last_{SocketError::Kind::connect, "no address"};
};

// Looks `destination.host` up (net/transport/look_up.h) and connects; blocks until `deadline`, the
// look-up apart.
[[nodiscard]] Connector::Result connect_blocking(Destination destination, TimePoint deadline,
                                                 Waiter& waiter);

}  // namespace tocsin::net
