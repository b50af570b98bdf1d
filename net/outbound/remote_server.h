// Another server, as the configuration names it.
#pragma once

#include <expected>
#include <memory>
#include <string>
#include <string_view>

#include "net/jose/digest.h"
#include "net/transport/tls_context.h"
#include "net/transport/url.h"

namespace tocsin::net {

struct RemoteServer {
  Url url{};
  std::shared_ptr<const TlsContext> tls{};  // null: the system's certificates
  Digest trust{};                           // of those that count in their place; zero: none do

  // scheme://host/path, for logs: a query may hold a secret.
  [[nodiscard]] std::string shown_url() const;

  // The same question to it has the same answer.
  friend bool operator==(const RemoteServer& a, const RemoteServer& b) {
    return a.url == b.url && a.trust == b.trust;
  }
};

// `ca_file`: PEM certificates that are trusted instead of the system's; empty: the system's. The
// error says in words what is wrong: no URL, http to another machine unless that is allowed, a file
// that cannot be read.
[[nodiscard]] std::expected<RemoteServer, std::string> parse_remote_server(
    std::string_view url, bool allow_http, const std::string& ca_file);

}  // namespace tocsin::net
