// http:// and https:// URLs, as far as a client needs them (RFC 3986, RFC 9110 4.2).
//
// Pure values; safe to use from any thread.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

namespace tocsin::net {

// Where to connect and what to ask for. Made by parse_url() and resolve_url() only, so every string
// in it may be written into a request's head as it is: no control characters, no spaces.
struct Url {
  std::string host;          // a name, an IPv4 or an IPv6 literal without its brackets; lower case
  std::uint16_t port = 80;   // 80 where the URL names none, 443 with https
  std::string target = "/";  // path and query in origin form, begins with '/'; no fragment
  bool path_was_given = false;  // the URL had a path other than "" and "/", or a query
  bool https = false;

  // The value of the Host field: brackets around IPv6, the port only if it is not the scheme's.
  [[nodiscard]] std::string authority() const;
  [[nodiscard]] std::string to_string() const;

  // The same scheme, host and port: credentials meant for one may be sent to the other.
  [[nodiscard]] bool same_origin(const Url& other) const {
    return https == other.https && host == other.host && port == other.port;
  }

  // Appends `name=value` to the query, both percent-encoded.
  void add_query(std::string_view name, std::string_view value);

  friend bool operator==(const Url&, const Url&) = default;
};

// An absolute URL, or in words why it is none. Bytes above 0x7f in the path are percent-encoded;
// user information (`user:password@`), an IPv6 zone and schemes other than http and https are
// refused.
[[nodiscard]] std::expected<Url, std::string> parse_url(std::string_view text);

// The URL that `reference` (a Location field) means seen from `base` (RFC 3986, 5.2): absolute,
// `//host/path`, `/path`, `?query`, or relative to the base's path.
[[nodiscard]] std::expected<Url, std::string> resolve_url(const Url& base,
                                                          std::string_view reference);

}  // namespace tocsin::net
