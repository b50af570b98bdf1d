#include "net/http/cors.h"

#include <algorithm>
#include <cstdint>
#include <initializer_list>

#include <fmt/format.h>

#include "proto/text/number.h"

namespace tocsin::net {
namespace {

constexpr std::string_view kAny = "*";
constexpr std::string_view kLower = "abcdefghijklmnopqrstuvwxyz";
constexpr std::string_view kDigits = "0123456789";

bool consists_of(std::string_view text, std::initializer_list<std::string_view> sets) {
  return std::ranges::all_of(text, [&](char c) {
    return std::ranges::any_of(sets, [c](std::string_view set) { return set.contains(c); });
  });
}

bool is_scheme(std::string_view text) {
  return !text.empty() && kLower.contains(text.front()) &&
         consists_of(text, {kLower, kDigits, "+-."});
}

// Of names only the characters are looked at: a name that cannot be is never sent.
bool is_host(std::string_view text) {
  if (text.starts_with('[') && text.ends_with(']')) {
    return text.size() > 4 && consists_of(text.substr(1, text.size() - 2), {kDigits, "abcdef:."});
  }
  return !text.empty() && consists_of(text, {kLower, kDigits, "-._~"});
}

// Digits as a browser writes them: no port, and no zero in front.
bool is_port(std::string_view text) {
  return proto::read_number<std::uint16_t>(text).value_or(0) > 0 && text.front() != '0';
}

}  // namespace

std::string origin_fault(std::string_view text) {
  constexpr std::string_view kForm = "is not scheme://host or scheme://host:port";
  if (text == kAny) return {};
  if (text == "null") {
    return "would let in every sandboxed frame and local file, whoever made it";
  }
  if (text.contains('*')) return "is a pattern; each origin is named, or * alone for all";
  const std::size_t colon = text.find("://");
  if (colon == std::string_view::npos) return std::string(kForm);
  const std::string_view scheme = text.substr(0, colon);
  std::string_view host = text.substr(colon + 3);
  if (host.find_first_of("/?#@") != std::string_view::npos) {
    return fmt::format("{}, without a path or a user", kForm);
  }
  const auto is_upper = [](char c) { return c >= 'A' && c <= 'Z'; };
  if (std::ranges::any_of(text, is_upper)) return "is not in lower case, as browsers write it";
  const std::size_t bracket = host.rfind(']');
  const std::size_t port_at = host.find(':', bracket == std::string_view::npos ? 0 : bracket);
  if (port_at != std::string_view::npos) {
    const std::string_view port = host.substr(port_at + 1);
    host = host.substr(0, port_at);
    if (!is_port(port)) return "has no port from 1 to 65535 behind its colon";
    if ((scheme == "http" && port == "80") || (scheme == "https" && port == "443")) {
      return fmt::format("names the usual port, which browsers leave out: {}://{}", scheme, host);
    }
  }
  if (!is_scheme(scheme)) return std::string(kForm);
  if (!is_host(host)) {
    return fmt::format("{}; a name beyond ASCII is written as xn--...", kForm);
  }
  return {};
}

Cors::Cors(std::span<const std::string> origins, bool open) {
  const bool any = open && std::ranges::find(origins, kAny) != origins.end();
  for (const std::string& origin : origins) {
    if (origin == kAny) continue;
    named_.push_back({.origin = origin,
                      .fields = fmt::format("Access-Control-Allow-Origin: {}\r\n"
                                            "Access-Control-Allow-Credentials: true\r\n"
                                            "Vary: Origin\r\n",
                                            origin)});
  }
  if (any) others_ += "Access-Control-Allow-Origin: *\r\n";
  if (!named_.empty()) others_ += "Vary: Origin\r\n";
}

std::string_view Cors::fields_for(std::string_view origin) const {
  // A few: a page's origin is one of a handful of sites.
  const auto it = std::ranges::find(named_, origin, &Named::origin);
  return it == named_.end() ? others_ : it->fields;
}

}  // namespace tocsin::net
