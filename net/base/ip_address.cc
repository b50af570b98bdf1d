#include "net/base/ip_address.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstring>

#include "proto/assert.h"
#include "proto/text/number.h"

namespace tocsin::net {
namespace {

constexpr std::array<unsigned char, 12> kMapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
constexpr unsigned kMappedBits = 96;

bool is_mapped(const std::array<unsigned char, 16>& bytes) {
  return std::equal(kMapped.begin(), kMapped.end(), bytes.begin());
}

}  // namespace

IpAddress::IpAddress(const sockaddr_storage& address) {
  if (address.ss_family == AF_INET) {
    sockaddr_in v4{};
    std::memcpy(&v4, &address, sizeof(v4));
    std::ranges::copy(kMapped, bytes_.begin());
    std::memcpy(&bytes_[kMapped.size()], &v4.sin_addr, sizeof(v4.sin_addr));
  } else if (address.ss_family == AF_INET6) {
    sockaddr_in6 v6{};
    std::memcpy(&v6, &address, sizeof(v6));
    std::memcpy(bytes_.data(), &v6.sin6_addr, bytes_.size());
  }
}

std::optional<IpAddress> IpAddress::parse(std::string_view text) {
  std::array<char, INET6_ADDRSTRLEN> number{};  // ended by a zero
  if (text.size() >= number.size() || text.contains('\0')) return std::nullopt;
  std::ranges::copy(text, number.begin());
  IpAddress address;
  const bool is_v6 = text.contains(':');
  if (!is_v6) std::ranges::copy(kMapped, address.bytes_.begin());
  unsigned char* to = address.bytes_.data() + (is_v6 ? 0 : kMapped.size());
  if (::inet_pton(is_v6 ? AF_INET6 : AF_INET, number.data(), to) != 1) return std::nullopt;
  return address.is_known() ? std::optional(address) : std::nullopt;
}

std::string IpAddress::text() const {
  if (!is_known()) return {};
  std::array<char, INET6_ADDRSTRLEN> text{};
  const bool is_v4 = is_mapped(bytes_);
  const unsigned char* from = bytes_.data() + (is_v4 ? kMapped.size() : 0);
  const char* done = ::inet_ntop(is_v4 ? AF_INET : AF_INET6, from, text.data(), text.size());
  TOCSIN_ASSERT(done != nullptr);
  return text.data();
}

std::uint64_t IpAddress::client_key() const {
  if (!is_known()) return 0;
  // All 64 bits belong to IPv6 networks. Of these no peer is in ff00::/8, multicast (RFC 4291,
  // 2.7): there is room for IPv4, and for ::/64 (::1), whose own number would be 0.
  std::array<unsigned char, sizeof(std::uint64_t)> key{0xff};
  const auto network = bytes_.begin() + sizeof(key);
  if (is_mapped(bytes_)) {
    std::copy(bytes_.begin() + kMapped.size(), bytes_.end(), key.begin() + 4);
  } else if (std::all_of(bytes_.begin(), network, [](unsigned char byte) { return byte == 0; })) {
    key[1] = 1;
  } else {
    std::copy(bytes_.begin(), network, key.begin());
  }
  const auto number = std::bit_cast<std::uint64_t>(key);
  TOCSIN_ASSERT(number != 0);
  return number;
}

std::expected<IpNetwork, std::string> IpNetwork::parse(std::string_view text) {
  const std::size_t slash = text.find('/');
  const std::string_view number = text.substr(0, slash);
  const auto first = IpAddress::parse(number);
  if (!first) return std::unexpected("is not a numeric address, or one with /BITS behind it");
  IpNetwork network;
  network.first_ = *first;
  if (slash == std::string_view::npos) return network;
  const bool is_v6 = number.contains(':');
  const unsigned most = is_v6 ? 128 : 128 - kMappedBits;
  const auto length = proto::read_number<unsigned>(text.substr(slash + 1));
  const unsigned bits = length.value_or(most + 1);
  if (bits > most) {
    return std::unexpected("has no number of bits behind the '/', at most " + std::to_string(most));
  }
  if (bits == 0) return std::unexpected("would be everybody");
  network.bits_ = is_v6 ? bits : kMappedBits + bits;
  for (unsigned bit = network.bits_; bit < 128; ++bit) {
    if ((first->bytes_[bit / 8] & (0x80U >> bit % 8)) != 0) {
      return std::unexpected("says something behind its first " + std::to_string(bits) + " bits");
    }
  }
  return network;
}

bool IpNetwork::contains(const IpAddress& address) const {
  TOCSIN_DEBUG_ASSERT(bits_ > 0 && bits_ <= 128);
  const unsigned whole = bits_ / 8;
  if (!std::equal(first_.bytes_.begin(), first_.bytes_.begin() + whole, address.bytes_.begin())) {
    return false;
  }
  if (bits_ % 8 == 0) return true;
  const unsigned mask = 0xFF00U >> bits_ % 8;
  return ((first_.bytes_[whole] ^ address.bytes_[whole]) & mask & 0xFF) == 0;
}

}  // namespace tocsin::net
