#include "net/transport/url.h"

#include <arpa/inet.h>

#include <algorithm>
#include <optional>

#include "proto/assert.h"
#include "proto/http/query.h"
#include "proto/text/ascii.h"
#include "proto/text/number.h"

namespace tocsin::net {
namespace {

using proto::is_alpha;
using proto::is_digit;
using proto::to_lower;

constexpr std::uint16_t default_port(bool https) {
  return https ? 443 : 80;
}

// The length of `scheme` in front of ':', or nothing if the text has none (RFC 3986, 3.1).
std::optional<std::size_t> scheme_length(std::string_view text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == ':') return i == 0 ? std::nullopt : std::optional(i);
    const bool later = i > 0 && (is_digit(c) || c == '+' || c == '-' || c == '.');
    if (!is_alpha(c) && !later) return std::nullopt;
  }
  return std::nullopt;
}

// A control character or a space would let a URL write header fields into the request.
bool has_forbidden_byte(std::string_view text) {
  return std::ranges::any_of(text, [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte <= 0x20 || byte == 0x7f;
  });
}

std::string encode_high_bytes(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (static_cast<unsigned char>(c) < 0x80) {
      out.push_back(c);
    } else {
      out += proto::percent_encode(std::string_view(&c, 1));
    }
  }
  return out;
}

bool is_host_name(std::string_view host) {
  return !host.empty() && host.size() <= 253 && std::ranges::all_of(host, [](char c) {
    return is_alpha(c) || is_digit(c) || c == '-' || c == '.' || c == '_';
  });
}

std::expected<void, std::string> parse_port(std::string_view text, std::uint16_t& port) {
  if (text.empty()) return {};  // "host:" means the default port
  const auto value = proto::read_number<std::uint16_t>(text);
  if (!value || *value == 0) return std::unexpected("the port must be a number from 1 to 65535");
  port = *value;
  return {};
}

std::expected<void, std::string> parse_authority(std::string_view text, Url& url) {
  if (text.find('@') != std::string_view::npos) {
    return std::unexpected("a user name in the URL is not supported, send an Authorization header");
  }
  if (text.starts_with('[')) {
    const auto end = text.find(']');
    if (end == std::string_view::npos) return std::unexpected("the IPv6 address lacks its ']'");
    url.host = to_lower(text.substr(1, end - 1));
    in6_addr address{};
    if (inet_pton(AF_INET6, url.host.c_str(), &address) != 1) {
      return std::unexpected("what stands in brackets is no IPv6 address");
    }
    text.remove_prefix(end + 1);
    if (!text.empty() && !text.starts_with(':')) {
      return std::unexpected("only a port may follow the IPv6 address");
    }
    return parse_port(text.empty() ? text : text.substr(1), url.port);
  }
  const auto colon = text.find(':');
  url.host = to_lower(text.substr(0, colon));
  if (url.host.empty()) return std::unexpected("the host is missing");
  if (!is_host_name(url.host))
    return std::unexpected("the host contains a character that it may not");
  return parse_port(colon == std::string_view::npos ? "" : text.substr(colon + 1), url.port);
}

// Everything behind the authority: path, query, fragment (which stays with the client).
void set_target(std::string_view text, Url& url) {
  text = text.substr(0, text.find('#'));
  url.path_was_given = !text.empty() && text != "/";
  url.target = encode_high_bytes(text);
  if (!url.target.starts_with('/')) url.target.insert(0, 1, '/');
  // It goes into a request's first line as it is.
  TOCSIN_ASSERT(!has_forbidden_byte(url.target));
}

// RFC 3986, 5.2.4: `.` and `..` leave the path of a relative reference.
std::string remove_dot_segments(std::string_view path) {
  TOCSIN_ASSERT(path.starts_with('/'));
  std::string out;
  while (!path.empty()) {
    const auto next = std::min(path.find('/', 1), path.size());  // every segment begins with '/'
    const auto segment = path.substr(0, next);
    const bool last = next == path.size();
    path.remove_prefix(next);
    if (segment == "/.") {
      if (last) out += '/';
    } else if (segment == "/..") {
      const auto parent = out.rfind('/');
      out.resize(parent == std::string::npos ? 0 : parent);
      if (last) out += '/';
    } else {
      out += segment;
    }
  }
  return out;
}

}  // namespace

std::string Url::authority() const {
  std::string out = host.find(':') == std::string::npos ? host : '[' + host + ']';
  if (port != default_port(https)) out += ':' + std::to_string(port);
  return out;
}

std::string Url::to_string() const {
  return (https ? "https://" : "http://") + authority() + target;
}

void Url::add_query(std::string_view name, std::string_view value) {
  const auto mark = target.find('?');
  if (mark == std::string::npos) {
    target += '?';
  } else if (mark + 1 != target.size()) {
    target += '&';
  }
  target += proto::percent_encode(name);
  target += '=';
  target += proto::percent_encode(value);
}

std::expected<Url, std::string> parse_url(std::string_view text) {
  if (has_forbidden_byte(text)) {
    return std::unexpected("a URL may not contain spaces or control characters");
  }
  const auto scheme = scheme_length(text);
  if (!scheme || !text.substr(*scheme).starts_with("://")) {
    return std::unexpected("a URL begins with http:// or https://");
  }
  const std::string scheme_name = to_lower(text.substr(0, *scheme));
  if (scheme_name != "http" && scheme_name != "https") {
    return std::unexpected("the scheme " + scheme_name +
                           " is not supported, only http and https are");
  }
  text.remove_prefix(*scheme + 3);
  const auto end = std::min(text.find_first_of("/?#"), text.size());
  Url url;
  url.https = scheme_name == "https";
  url.port = default_port(url.https);
  if (auto parsed = parse_authority(text.substr(0, end), url); !parsed) {
    return std::unexpected(std::move(parsed.error()));
  }
  set_target(text.substr(end), url);
  return url;
}

std::expected<Url, std::string> resolve_url(const Url& base, std::string_view reference) {
  if (reference.starts_with("//")) {
    return parse_url((base.https ? "https:" : "http:") + std::string(reference));
  }
  if (scheme_length(reference)) return parse_url(reference);
  if (has_forbidden_byte(reference)) {
    return std::unexpected("a URL may not contain spaces or control characters");
  }
  Url url = base;
  const std::string_view base_path = std::string_view(base.target).substr(0, base.target.find('?'));
  reference = reference.substr(0, reference.find('#'));
  if (reference.empty()) return url;
  if (reference.starts_with('?')) {
    set_target(std::string(base_path) + std::string(reference), url);
    return url;
  }
  const auto query_at = std::min(reference.find('?'), reference.size());
  std::string path(reference.substr(0, query_at));
  if (!path.starts_with('/')) path.insert(0, base_path.substr(0, base_path.rfind('/') + 1));
  set_target(remove_dot_segments(path) + std::string(reference.substr(query_at)), url);
  return url;
}

}  // namespace tocsin::net
