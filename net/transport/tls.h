// TLS as a client speaks it over one connection; what it trusts: net/transport/tls_context.h.
#pragma once

#include <expected>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "net/transport/tls_context.h"
#include "net/transport/transfer.h"

namespace tocsin::net {

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

  // moved (of no bytes): done. REQUIRES: it was not done yet. Before it is, neither of the next two
  // may be called.
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
