// What a client trusts when it speaks TLS (OpenSSL 3): version 1.2 and later, the server's
// certificate and name verified unless that is switched off by name.
#pragma once

#include <expected>
#include <memory>
#include <string>

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

}  // namespace tocsin::net
