// Names to addresses, as getaddrinfo(3) finds them: it blocks for as long as resolv.conf says and
// cannot be interrupted, so whoever must not block has a thread for it (net/transport/resolver.h).
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <expected>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "net/transport/socket_error.h"

namespace tocsin::net {

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;
};
// In the order in which they are to be tried; never empty.
using Addresses = std::vector<SocketAddress>;
using LookUpResult = std::expected<Addresses, SocketError>;

// An IPv4 or IPv6 literal, which needs no look-up; nothing if `host` is a name.
[[nodiscard]] std::optional<Addresses> parse_literal(const std::string& host, std::uint16_t port);

// Blocks, see above. Thread-safe.
[[nodiscard]] LookUpResult look_up(const std::string& host, std::uint16_t port);
using LookUp = std::function<LookUpResult(const std::string& host, std::uint16_t port)>;

}  // namespace tocsin::net
