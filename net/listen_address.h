// An address to listen on, as an operator writes it.
#pragma once

#include <sys/socket.h>

#include <expected>
#include <string>
#include <string_view>

namespace tocsin::net {

// A socket address of AF_INET or AF_INET6, ready for bind(2).
struct ListenAddress {
  sockaddr_storage storage{};
  socklen_t length = 0;
};

// `text`: 127.0.0.1:8080, [::1]:8080; numeric addresses only, so that a start needs no resolver.
// Port 0 is allowed. The error is a sentence for the operator, without the text itself.
[[nodiscard]] std::expected<ListenAddress, std::string> parse_listen_address(std::string_view text);

// The same form back, e.g. what getsockname(2) returned for port 0.
[[nodiscard]] std::string format_address(const sockaddr* address);

}  // namespace tocsin::net
