// The numbers of addresses: who counts as one client, and that nobody shares one with another.
#include <netinet/in.h>

#include <cstddef>
#include <set>
#include <string>

#include <gtest/gtest.h>

#include "net/base/ip_address.h"
#include "tests/net/support/socket_address.h"

namespace tocsin::net {
namespace {

std::uint64_t key_of(const std::string& host) {
  return IpAddress(socket_address(host).storage).client_key();
}

TEST(AddressKey, ANetworkOf64BitsIsOneClient) {
  EXPECT_EQ(key_of("[2001:db8:1:2::1]"), key_of("[2001:db8:1:2:ffff:ffff:ffff:ffff]"));
  EXPECT_NE(key_of("[2001:db8:1:2::1]"), key_of("[2001:db8:1:3::1]"));
}

TEST(AddressKey, AnIpv4AddressIsOneClientHoweverItIsWritten) {
  EXPECT_EQ(key_of("192.0.2.1"), key_of("[::ffff:192.0.2.1]"));
  EXPECT_NE(key_of("192.0.2.1"), key_of("192.0.2.2"));
  EXPECT_NE(key_of("192.0.2.1"), key_of("[::192.0.2.1]"));
}

TEST(AddressKey, NetworksThatDifferInOneBitAreTwoClients) {
  std::set<std::uint64_t> keys;
  ListenAddress address = socket_address("[2001:db8:55aa:55aa::1]");
  const std::size_t prefix = offsetof(sockaddr_in6, sin6_addr);
  auto* bytes = reinterpret_cast<unsigned char*>(&address.storage) + prefix;
  keys.insert(IpAddress(address.storage).client_key());
  for (std::size_t bit = 0; bit < 64; ++bit) {
    const auto mask = static_cast<unsigned char>(1U << bit % 8);
    bytes[bit / 8] ^= mask;
    EXPECT_TRUE(keys.insert(IpAddress(address.storage).client_key()).second) << "bit " << bit;
    bytes[bit / 8] ^= mask;
  }
}

TEST(IpAddress, IsReadAndWrittenAsPeopleDo) {
  for (const char* text : {"192.0.2.1", "255.255.255.255", "::1", "2001:db8::1", "fe80::1"}) {
    EXPECT_EQ(IpAddress::parse(text).value().text(), text);
  }
  EXPECT_EQ(IpAddress::parse("::ffff:192.0.2.1").value().text(), "192.0.2.1");
  EXPECT_EQ(IpAddress::parse("2001:DB8:0::1").value().text(), "2001:db8::1");
  EXPECT_EQ(IpAddress().text(), "");
}

TEST(AddressKey, FamiliesNeverMeetAndNobodyHasZero) {
  std::set<std::uint64_t> keys{0};
  for (const char* host : {"0.0.0.0", "0.0.0.1", "127.0.0.1", "223.255.255.255", "[::1]",
                           "[0:0:0:1::]", "[fe80::1]", "[7f00:1::]", "[feff:ffff::]"}) {
    EXPECT_TRUE(keys.insert(key_of(host)).second) << host;
  }
  sockaddr_storage local{};
  local.ss_family = AF_UNIX;
  EXPECT_EQ(IpAddress(local).client_key(), 0U);
}

}  // namespace
}  // namespace tocsin::net
