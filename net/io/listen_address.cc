#include "net/io/listen_address.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <optional>
#include <tuple>

#include <fmt/format.h>

#include "proto/assert.h"
#include "proto/text/number.h"

namespace tocsin::net {
namespace {

// The kernel binds and listens there all the same.
constexpr const char* kMulticast = "is a multicast address: nobody can connect to it";

[[nodiscard]] std::optional<std::uint16_t> parse_port(std::string_view text) {
  return proto::read_number<std::uint16_t>(text);
}

// The parts of an address that bind(2) looks at, IPv4 in the last four bytes.
struct Parts {
  sa_family_t family = AF_UNSPEC;
  std::array<unsigned char, 16> host{};
  std::uint16_t port = 0;

  [[nodiscard]] bool operator==(const Parts&) const = default;
  [[nodiscard]] bool is_wildcard() const {
    return std::ranges::all_of(host, [](unsigned char byte) { return byte == 0; });
  }
};

[[nodiscard]] Parts parts(const ListenAddress& address) {
  Parts result{.family = address.storage.ss_family};
  if (result.family == AF_INET6) {
    sockaddr_in6 v6{};
    std::memcpy(&v6, &address.storage, sizeof v6);
    std::memcpy(result.host.data(), &v6.sin6_addr, result.host.size());
    result.port = ntohs(v6.sin6_port);
  } else {
    TOCSIN_ASSERT(result.family == AF_INET);
    sockaddr_in v4{};
    std::memcpy(&v4, &address.storage, sizeof v4);
    std::memcpy(&result.host[12], &v4.sin_addr, sizeof v4.sin_addr);
    result.port = ntohs(v4.sin_port);
  }
  return result;
}

}  // namespace

std::expected<ListenAddress, std::string> parse_listen_address(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos || text.ends_with(']')) {
    return std::unexpected("has no port; write it as 127.0.0.1:8080 or [::1]:8080");
  }
  const auto port = parse_port(text.substr(colon + 1));
  if (!port) {
    return std::unexpected("the port must be a number from 0 to 65535");
  }
  std::string host(text.substr(0, colon));
  if (host.empty()) {
    return std::unexpected("the address is missing; all interfaces are 0.0.0.0 or [::]");
  }
  ListenAddress result;
  if (host.starts_with('[') && host.ends_with(']')) {
    host = host.substr(1, host.size() - 2);
    sockaddr_in6 address{};
    address.sin6_family = AF_INET6;
    address.sin6_port = htons(*port);
    if (::inet_pton(AF_INET6, host.c_str(), &address.sin6_addr) != 1) {
      return std::unexpected("is not a numeric IPv6 address in brackets");
    }
    if (IN6_IS_ADDR_MULTICAST(&address.sin6_addr)) return std::unexpected(kMulticast);
    // The hub's sockets of IPv6 are of nothing else.
    if (IN6_IS_ADDR_V4MAPPED(&address.sin6_addr)) {
      return std::unexpected("is an address of IPv4; write it as 127.0.0.1:8080");
    }
    if (IN6_IS_ADDR_LINKLOCAL(&address.sin6_addr)) {
      return std::unexpected("is an address of one link, and nothing says which; use [::]");
    }
    std::memcpy(&result.storage, &address, sizeof address);
    result.length = sizeof address;
    return result;
  }
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(*port);
  if (::inet_pton(AF_INET, host.c_str(), &address.sin_addr) != 1) {
    return std::unexpected(host.contains(':')
                               ? "an IPv6 address stands in brackets, as in [::1]:8080"
                               : "is not a numeric address; names are not looked up");
  }
  const std::uint32_t v4 = ntohl(address.sin_addr.s_addr);
  if (IN_MULTICAST(v4)) return std::unexpected(kMulticast);
  if (v4 == INADDR_BROADCAST) {
    return std::unexpected("is the broadcast address: nobody can connect to it");
  }
  std::memcpy(&result.storage, &address, sizeof address);
  result.length = sizeof address;
  return result;
}

std::expected<std::vector<ListenAddress>, std::string> parse_listen_addresses(
    std::span<const std::string> texts) {
  std::vector<ListenAddress> result;
  for (const std::string& text : texts) {
    auto address = parse_listen_address(text);
    if (!address) return std::unexpected(fmt::format("listen {}: {}", text, address.error()));
    const Parts mine = parts(*address);
    for (std::size_t i = 0; i < result.size(); ++i) {
      const Parts other = parts(result[i]);
      // The kernel chooses another port for every 0.
      if (mine.port == 0 || mine.port != other.port || mine.family != other.family) continue;
      if (mine.host == other.host) {
        return std::unexpected(
            texts[i] == text
                ? fmt::format("listen names {} twice", text)
                : fmt::format("listen names one address twice: {} and {}", texts[i], text));
      }
      if (mine.is_wildcard() || other.is_wildcard()) {
        const auto& [all, one] =
            mine.is_wildcard() ? std::tie(text, texts[i]) : std::tie(texts[i], text);
        return std::unexpected(fmt::format("listen names {}, which is a part of {}", one, all));
      }
    }
    result.push_back(*address);
  }
  return result;
}

bool is_same(const ListenAddress& one, const ListenAddress& other) {
  return parts(one) == parts(other);
}

bool is_loopback(const ListenAddress& address) {
  const Parts part = parts(address);
  if (part.family == AF_INET) return part.host[12] == 127;
  in6_addr v6{};
  std::memcpy(&v6, part.host.data(), sizeof v6);
  return IN6_IS_ADDR_LOOPBACK(&v6) || (IN6_IS_ADDR_V4MAPPED(&v6) && part.host[12] == 127);
}

std::string format_address(const sockaddr* address) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (address->sa_family == AF_INET6) {
    sockaddr_in6 v6{};
    std::memcpy(&v6, address, sizeof v6);
    ::inet_ntop(AF_INET6, &v6.sin6_addr, text.data(), text.size());
    return fmt::format("[{}]:{}", text.data(), ntohs(v6.sin6_port));
  }
  TOCSIN_ASSERT(address->sa_family == AF_INET);
  sockaddr_in v4{};
  std::memcpy(&v4, address, sizeof v4);
  ::inet_ntop(AF_INET, &v4.sin_addr, text.data(), text.size());
  return fmt::format("{}:{}", text.data(), ntohs(v4.sin_port));
}

std::string format_address(const ListenAddress& address) {
  return format_address(reinterpret_cast<const sockaddr*>(&address.storage));
}

}  // namespace tocsin::net
