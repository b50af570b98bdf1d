#include "net/outbound/remote_server.h"

#include <utility>

#include "net/jose/key_file.h"
#include "net/transport/look_up.h"

namespace tocsin::net {
namespace {

// Nobody on the way can listen.
bool is_this_machine(const std::string& host) {
  if (host == "localhost" || host == "::1") return true;
  return host.starts_with("127.") && parse_literal(host, 1).has_value();
}

}  // namespace

std::string RemoteServer::shown_url() const {
  const std::string whole = url.to_string();
  return whole.substr(0, whole.find('?'));
}

std::expected<RemoteServer, std::string> parse_remote_server(std::string_view url, bool allow_http,
                                                             const std::string& ca_file) {
  auto parsed = parse_url(url);
  if (!parsed) return std::unexpected(std::move(parsed.error()));
  if (!parsed->https && !allow_http && !is_this_machine(parsed->host)) {
    return std::unexpected(
        "http to another machine: anybody on the way could say who is let in; use https, or "
        "allow_http = true");
  }
  RemoteServer server{.url = *std::move(parsed)};
  if (ca_file.empty()) return server;
  const auto file = read_key_file(ca_file);
  if (!file) return std::unexpected(file.error());
  auto tls = TlsContext::create({.ca_file = ca_file});
  if (!tls) return std::unexpected(std::move(tls.error()));
  server.tls = *std::move(tls);
  server.trust = sha256(file->bytes.view());
  return server;
}

}  // namespace tocsin::net
