#include "net/redis/redis_url.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "proto/text/ascii.h"
#include "proto/text/number.h"
#include "proto/text/percent.h"

namespace tocsin::net {
namespace {

struct UrlForm {
  std::string_view begin;
  bool tls;
  bool sentinel;
  std::uint16_t default_port;
};
constexpr std::array<UrlForm, 4> kForms{{{"redis://", false, false, 6379},
                                          {"rediss://", true, false, 6379},
                                          {"redis+sentinel://", false, true, 26379},
                                          {"rediss+sentinel://", true, true, 26379}}};

constexpr std::size_t kMaxName = 64;
constexpr unsigned kMaxReplicas = 16;

// Why something cannot be.
std::unexpected<std::string> because(std::string why) {
  return std::unexpected(std::move(why));
}

bool is_name(std::string_view name) {
  return !name.empty() && name.size() <= kMaxName && std::ranges::all_of(name, [](char c) {
    return proto::is_alpha(c) || proto::is_digit(c) || c == '-' || c == '_' || c == '.';
  });
}

template <typename Number>
std::optional<Number> parse_number(std::string_view text, Number least, Number most) {
  const auto number = proto::read_number<Number>(text);
  return number && *number >= least && *number <= most ? number : std::nullopt;
}

std::expected<void, std::string> parse_user(std::string_view text, RedisUrl& url) {
  const auto colon = text.find(':');
  if (colon == std::string_view::npos) {
    return because("what stands before the @ is not USER:PASSWORD");
  }
  auto user = proto::percent_decode(text.substr(0, colon));
  auto password = proto::percent_decode(text.substr(colon + 1));
  if (!user || !password) {
    return because("a % in the user or the password stands before no two hexadecimal digits");
  }
  url.user = *std::move(user);
  url.password = *std::move(password);
  if (url.password.empty()) return because("the password is empty");
  return {};
}

std::expected<RedisUrl::Server, std::string> parse_server(std::string_view text,
                                                          std::uint16_t default_port) {
  RedisUrl::Server server{.host = {}, .port = default_port};
  std::string_view rest;
  if (text.starts_with('[')) {
    const auto end = text.find(']');
    if (end == std::string_view::npos) return because("the IPv6 address lacks its ']'");
    server.host = text.substr(1, end - 1);
    rest = text.substr(end + 1);
  } else {
    const auto colon = std::min(text.find(':'), text.size());
    server.host = text.substr(0, colon);
    rest = text.substr(colon);
  }
  if (server.host.empty()) return because("a host is missing");
  const bool good = std::ranges::all_of(server.host, [](char c) {
    return proto::is_alpha(c) || proto::is_digit(c) || c == '-' || c == '_' || c == '.' || c == ':';
  });
  if (!good) return because("a host has a character that it may not have");
  if (rest.empty()) return server;
  const auto port = rest.starts_with(':') ? parse_number<std::uint16_t>(rest.substr(1), 1, 65535)
                                          : std::nullopt;
  if (!port) return because("a port is no number from 1 to 65535");
  server.port = *port;
  return server;
}

// "/NAME", or "/MASTER/NAME" behind Sentinels.
std::expected<void, std::string> parse_path(std::string_view text, bool sentinel, RedisUrl& url) {
  const auto bad = [](std::string_view which) {
    return because(fmt::format("{} is missing or has other characters than letters, digits and "
                               ". _ - (at most {})",
                               which, kMaxName));
  };
  text.remove_prefix(std::min<std::size_t>(1, text.size()));
  if (sentinel) {
    const auto slash = std::min(text.find('/'), text.size());
    url.master = text.substr(0, slash);
    text.remove_prefix(std::min(slash + 1, text.size()));
    if (!is_name(url.master)) return bad("the name of the master, behind the hosts and a /,");
  }
  url.name = text;
  if (!is_name(text)) return bad("the history's name, behind the last /,");
  return {};
}

std::expected<void, std::string> parse_option(std::string_view text, RedisUrl& url) {
  constexpr std::string_view kReplicas = "replicas=";
  constexpr std::string_view kCa = "ca=";
  if (text.starts_with(kReplicas)) {
    const auto replicas = parse_number<unsigned>(text.substr(kReplicas.size()), 0, kMaxReplicas);
    if (!replicas) return because(fmt::format("replicas is no number from 0 to {}", kMaxReplicas));
    url.replicas = *replicas;
    return {};
  }
  if (!text.starts_with(kCa)) return because("behind the ? only replicas=K and ca=FILE may stand");
  auto file = proto::percent_decode(text.substr(kCa.size()));
  if (!file || file->empty()) return because("ca names no file");
  if (!url.tls) return because("ca is for rediss://");
  url.ca_file = *std::move(file);
  return {};
}

std::expected<void, std::string> parse_query(std::string_view text, RedisUrl& url) {
  while (true) {
    const auto end = std::min(text.find('&'), text.size());
    if (auto parsed = parse_option(text.substr(0, end), url); !parsed) return parsed;
    if (end == text.size()) return {};
    text.remove_prefix(end + 1);
  }
}

}  // namespace

bool is_redis_url(std::string_view text) {
  return std::ranges::any_of(kForms,
                             [&](const UrlForm& one) { return text.starts_with(one.begin); });
}

std::string to_string(const RedisUrl::Server& server) {
  const bool is_v6 = server.host.find(':') != std::string::npos;
  return fmt::format("{}{}{}:{}", is_v6 ? "[" : "", server.host, is_v6 ? "]" : "", server.port);
}

std::string RedisUrl::to_string() const {
  const auto scheme = std::ranges::find_if(kForms, [&](const UrlForm& one) {
    return one.tls == tls && one.sentinel == !master.empty();
  });
  std::string text(scheme->begin);
  if (!user.empty() || !password.empty()) text += user + ":***@";
  for (std::size_t i = 0; i < servers.size(); ++i) {
    if (i > 0) text += ',';
    text += net::to_string(servers[i]);
  }
  if (!master.empty()) text += '/' + master;
  text += '/' + name;
  if (replicas > 0) text += fmt::format("?replicas={}", replicas);
  if (!ca_file.empty()) text += (replicas > 0 ? "&ca=" : "?ca=") + ca_file;
  return text;
}

std::expected<RedisUrl, std::string> parse_redis_url(std::string_view text) {
  RedisUrl url;
  const auto scheme = std::ranges::find_if(
      kForms, [&](const UrlForm& one) { return text.starts_with(one.begin); });
  if (scheme == kForms.end()) return because("does not begin with redis:// or rediss://");
  url.tls = scheme->tls;
  text.remove_prefix(scheme->begin.size());
  // The last one before the options: a password may have an @ that somebody has not encoded.
  if (const auto at = text.rfind('@', text.find('?')); at != std::string_view::npos) {
    if (auto parsed = parse_user(text.substr(0, at), url); !parsed) return because(parsed.error());
    text.remove_prefix(at + 1);
  }
  const auto slash = std::min(text.find('/'), text.size());
  std::string_view hosts = text.substr(0, slash);
  text.remove_prefix(slash);
  while (true) {
    const auto comma = std::min(hosts.find(','), hosts.size());
    auto server = parse_server(hosts.substr(0, comma), scheme->default_port);
    if (!server) return because(server.error());
    url.servers.push_back(*std::move(server));
    if (comma == hosts.size()) break;
    hosts.remove_prefix(comma + 1);
  }
  const auto mark = std::min(text.find('?'), text.size());
  if (auto parsed = parse_path(text.substr(0, mark), scheme->sentinel, url); !parsed) {
    return because(parsed.error());
  }
  if (mark < text.size()) {
    if (auto parsed = parse_query(text.substr(mark + 1), url); !parsed) {
      return because(parsed.error());
    }
  }
  return url;
}

}  // namespace tocsin::net
