// An address to listen on, as an operator writes it.
#pragma once

#include <sys/socket.h>

#include <expected>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tocsin::net {

// A socket address of AF_INET or AF_INET6, ready for bind(2).
struct ListenAddress {
  sockaddr_storage storage{};
  socklen_t length = 0;
};

// `text`: 127.0.0.1:8080, [::1]:8080; numeric addresses only, so that a start needs no resolver.
// Port 0 is allowed. Groups (multicast, broadcast) are not, nor what bind(2) would refuse whatever
// the machine has: IPv4 in IPv6's form, and link-local addresses, as no interface can be named.
// The error is a sentence for the operator, without the text itself.
[[nodiscard]] std::expected<ListenAddress, std::string> parse_listen_address(std::string_view text);

// All of them, each once. Refused are addresses that name a port twice, however they are spelled,
// and one that a wildcard of the same family and port covers: 127.0.0.1:80 beside 0.0.0.0:80. (IPv4
// and IPv6 do not meet: the hub's sockets are IPV6_V6ONLY.) The error is a sentence for the
// operator: "listen ...".
[[nodiscard]] std::expected<std::vector<ListenAddress>, std::string> parse_listen_addresses(
    std::span<const std::string> texts);

// The same family, host and port.
[[nodiscard]] bool is_same(const ListenAddress& one, const ListenAddress& other);

// Only this machine reaches it: 127.0.0.0/8, ::1, and the former mapped into IPv6.
[[nodiscard]] bool is_loopback(const ListenAddress& address);

// The same form back, e.g. what getsockname(2) returned for port 0.
[[nodiscard]] std::string format_address(const sockaddr* address);
[[nodiscard]] std::string format_address(const ListenAddress& address);

}  // namespace tocsin::net
