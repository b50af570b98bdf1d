// Addresses of the network, IPv4 and IPv6, without a port: of clients, and of the proxies in front.
#pragma once

#include <sys/socket.h>

#include <array>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

namespace tocsin::net {

class IpAddress {
 public:
  IpAddress() = default;  // not known
  // Of a socket; not known where it is of another family.
  explicit IpAddress(const sockaddr_storage& address);
  // A number: 192.0.2.1, 2001:db8::1; no brackets, port or zone. Nothing: it is none, or that of
  // nobody (::).
  [[nodiscard]] static std::optional<IpAddress> parse(std::string_view text);

  // As parse() has it; an IPv4 address however it was written as that. Empty: it is not known.
  [[nodiscard]] std::string text() const;
  [[nodiscard]] bool is_known() const { return *this != IpAddress(); }
  // Who counts as one client: all addresses of an IPv6 /64 (a subscriber line is usually given one)
  // have one number, and an IPv4 address has the same however it is written (::ffff:0:0/96). No two
  // clients have the same, and none has 0, which is for who is not known.
  [[nodiscard]] std::uint64_t client_key() const;

  [[nodiscard]] bool operator==(const IpAddress&) const = default;

 private:
  friend class IpNetwork;

  // IPv4 as ::ffff:a.b.c.d (RFC 4291, 2.5.5.2). All zero, which no peer has: not known.
  std::array<unsigned char, 16> bytes_{};
};

// All addresses that begin with the same bits.
class IpNetwork {
 public:
  // 10.0.0.0/8, fd00::/8, or one address. The error is a sentence that continues the text: what it
  // says beyond its first bits, or that it would be everybody.
  [[nodiscard]] static std::expected<IpNetwork, std::string> parse(std::string_view text);

  [[nodiscard]] bool contains(const IpAddress& address) const;

 private:
  IpAddress first_;
  unsigned bits_ = 128;  // of the IPv6 form
};

}  // namespace tocsin::net
