// TLS as a client speaks it (OpenSSL 3): version 1.2 and later, the server's certificate and name
// verified unless that is switched off by name.
#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "net/socket_error.h"

namespace tocsin::net {

struct TlsOptions {
  // PEM certificates to trust instead of the system's; they need not be roots, so a server's own
  // certificate will do. Empty: the system's.
  std::string ca_file;
  // False: any certificate is taken. The traffic is encrypted, but nobody knows for whom.
  bool verify = true;
};

// What connections have in common: trusted certificates and settings. Immutable; safe to use from
// several threads at once. Loading the system's certificates takes some 10 ms and 1 MB: share it.
class TlsContext {
 public:
  // The error says in words which file cannot be read.
  [[nodiscard]] static std::expected<std::shared_ptr<const TlsContext>, std::string> create(
      const TlsOptions& options);

  // TlsOptions{}: made at the first call, for the whole process.
  [[nodiscard]] static const std::expected<std::shared_ptr<const TlsContext>, std::string>&
  system();

  ~TlsContext();
  TlsContext(const TlsContext&) = delete;
  TlsContext& operator=(const TlsContext&) = delete;

 private:
  friend class TlsSession;
  struct Native;
  explicit TlsContext(std::unique_ptr<Native> native);

  std::unique_ptr<Native> native_;
};

// `chosen`, or the system's where it is null.
[[nodiscard]] std::expected<std::shared_ptr<const TlsContext>, std::string> tls_for(
    const std::shared_ptr<const TlsContext>& chosen);

// TLS over one connected nonblocking socket. Not thread-safe. Never raises SIGPIPE.
class TlsSession {
 public:
  // `fd` is not owned and must stay open as long as the session lives. `host` is what the
  // certificate must be for: a name (sent as SNI, too) or an IP address.
  [[nodiscard]] static std::expected<std::unique_ptr<TlsSession>, std::string> create(
      std::shared_ptr<const TlsContext> context, int fd, const std::string& host);
  // Says close_notify, as far as the socket takes it at once.
  ~TlsSession();
  TlsSession(const TlsSession&) = delete;
  TlsSession& operator=(const TlsSession&) = delete;

  // moved (of no bytes): done. REQUIRES: nothing was sent or received before it is.
  [[nodiscard]] Transfer handshake();
  // After would_block the same bytes must be offered again, in any memory, more of them at will.
  [[nodiscard]] Transfer send(std::string_view bytes);
  // ended without a close_notify: see ended_properly().
  [[nodiscard]] Transfer receive(std::span<char> buffer);

  // Decrypted bytes wait inside, of which poll(2) knows nothing.
  [[nodiscard]] bool has_buffered() const;
  // The peer announced the end. If not, somebody on the way may have cut the connection
  // (RFC 8446, 6.1).
  [[nodiscard]] bool ended_properly() const;
  // What to poll for: either direction may have to wait for the other (key updates).
  [[nodiscard]] short events(bool sending) const;
  // After `failed`: a short sentence.
  [[nodiscard]] const std::string& error() const;

 private:
  struct State;
  explicit TlsSession(std::unique_ptr<State> state);

  std::unique_ptr<State> state_;
};

}  // namespace tocsin::net
