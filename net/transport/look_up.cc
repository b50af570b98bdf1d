#include "net/transport/look_up.h"

#include <netdb.h>
#include <netinet/in.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <system_error>
#include <utility>

#include "proto/assert.h"

namespace tocsin::net {
namespace {

struct FreeAddresses {
  void operator()(addrinfo* list) const { freeaddrinfo(list); }
};

// Returns getaddrinfo's code.
int find(const std::string& host, std::uint16_t port, int flags, Addresses& addresses) {
  const std::string service = std::to_string(port);
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV | flags;
  addrinfo* list = nullptr;
  const int code = getaddrinfo(host.c_str(), service.c_str(), &hints, &list);
  if (code != 0) return code;
  const std::unique_ptr<addrinfo, FreeAddresses> owner(list);
  for (const addrinfo* a = list; a != nullptr; a = a->ai_next) {
    SocketAddress& address = addresses.emplace_back();
    TOCSIN_ASSERT(a->ai_addrlen <= sizeof address.storage);
    std::memcpy(&address.storage, a->ai_addr, a->ai_addrlen);
    address.size = a->ai_addrlen;
  }
  return 0;
}

}  // namespace

std::optional<Addresses> parse_literal(const std::string& host, std::uint16_t port) {
  Addresses addresses;
  if (find(host, port, AI_NUMERICHOST, addresses) != 0) return std::nullopt;
  return addresses;
}

LookUpResult look_up(const std::string& host, std::uint16_t port) {
  // A literal first and alone: it must work without a resolver.
  if (auto literal = parse_literal(host, port)) return std::move(*literal);
  Addresses addresses;
  const int code = find(host, port, 0, addresses);
  if (code == 0) return addresses;
  const std::string why =
      code == EAI_SYSTEM ? std::system_category().message(errno) : gai_strerror(code);
  return std::unexpected(
      SocketError{SocketError::Kind::resolve, "cannot resolve " + host + ": " + why});
}

}  // namespace tocsin::net
