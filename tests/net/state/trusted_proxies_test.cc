// Whose word counts on whom a request is from, and what of it nobody can make up.
#include "net/state/trusted_proxies.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace tocsin::net {
namespace {

IpAddress ip(const std::string& text) {
  const auto address = IpAddress::parse(text);
  if (!address) ADD_FAILURE() << text;
  return address.value_or(IpAddress());
}

class Forwarded : public testing::Test {
 protected:
  [[nodiscard]] IpAddress client(const std::string& peer, const std::string& field) const {
    return proxies_.client_of(ip(peer), field);
  }
  TrustedProxies proxies_{std::vector<std::string>{"10.0.0.0/8", "fd00::/8", "192.0.2.1"}};
};

TEST_F(Forwarded, WhoIsNoProxySaysWhatItLikes) {
  EXPECT_EQ(client("203.0.113.9", "198.51.100.7"), ip("203.0.113.9"));
  EXPECT_EQ(TrustedProxies().client_of(ip("10.0.0.1"), "198.51.100.7"), ip("10.0.0.1"));
}

TEST_F(Forwarded, TheLastElementIsWhatTheProxySays) {
  EXPECT_EQ(client("10.0.0.1", "198.51.100.7"), ip("198.51.100.7"));
  EXPECT_EQ(client("10.0.0.1", "1.1.1.1, 198.51.100.7"), ip("198.51.100.7"));
  EXPECT_EQ(client("10.0.0.1", "10.9.9.9,1.1.1.1 ,\t198.51.100.7"), ip("198.51.100.7"));
}

TEST_F(Forwarded, AProxyBehindAProxyIsBelievedToo) {
  EXPECT_EQ(client("10.0.0.1", "1.1.1.1, 198.51.100.7, fd00::2, 192.0.2.1"), ip("198.51.100.7"));
  EXPECT_EQ(client("10.0.0.1", "10.0.0.2, 10.0.0.3"), ip("10.0.0.2")) << "a proxy itself asks";
}

TEST_F(Forwarded, AProxyThatSaysNothingIsTheClient) {
  EXPECT_EQ(client("10.0.0.1", ""), ip("10.0.0.1"));
}

TEST_F(Forwarded, WhatCannotBeReadEndsTheWalk) {
  for (const char* garbage :
       {"unknown", "_hidden", "198.51.100.7:", "198.51.100.7:x", "198.51.100.7:123456",
        "198.51.100.7:80:80", "[198.51.100.7]", "[2001:db8::7", "[2001:db8::7]x", "2001:db8::7]",
        "fe80::1%eth0", "198.51.100.007x", "198.51.100", "0x7f.1", "::", "\"198.51.100.7\"", "'",
        "198.51.100.7 198.51.100.8", "http://198.51.100.7", "1.1.1.1,", ",", " "}) {
    EXPECT_EQ(client("10.0.0.1", garbage), ip("10.0.0.1")) << garbage;
    EXPECT_EQ(client("10.0.0.1", std::string(garbage) + ", 10.0.0.2"), ip("10.0.0.2")) << garbage;
    EXPECT_EQ(client("10.0.0.1", "1.1.1.1, " + std::string(garbage)), ip("10.0.0.1")) << garbage;
  }
  EXPECT_EQ(client("10.0.0.1", std::string("198.51.100.7\0", 13)), ip("10.0.0.1"));
}

TEST_F(Forwarded, AddressesAreReadAsProxiesWriteThem) {
  for (const char* text : {"2001:db8::7", "[2001:db8::7]", "[2001:db8::7]:4711"}) {
    EXPECT_EQ(client("10.0.0.1", text), ip("2001:db8::7")) << text;
  }
  for (const char* text : {"198.51.100.7", "198.51.100.7:4711", "::ffff:198.51.100.7"}) {
    EXPECT_EQ(client("10.0.0.1", text), ip("198.51.100.7")) << text;
  }
  // However the peer's own address is written.
  EXPECT_EQ(client("::ffff:10.0.0.1", "198.51.100.7"), ip("198.51.100.7"));
}

TEST_F(Forwarded, TheWalkIsBounded) {
  std::string long_list = "198.51.100.7";
  for (int i = 0; i < 1000; ++i) long_list += ", 10.0.0.2";
  EXPECT_EQ(client("10.0.0.1", long_list), ip("10.0.0.2"));
  EXPECT_EQ(client("10.0.0.1", std::string(16'000, ',')), ip("10.0.0.1"));
}

TEST(ProxyFault, SaysWhatIsWrong) {
  for (const char* good : {"127.0.0.1", "10.0.0.0/8", "10.1.2.3/32", "::1", "fd00::/8",
                           "2001:db8::/33", "::ffff:10.0.0.0/104"}) {
    EXPECT_EQ(proxy_fault(good), "") << good;
  }
  for (const char* no_address : {"", "localhost", "10.0.0", "[::1]", "10.0.0.1:80", "::", "*",
                                 "/8", "10.0.0.0.0/8", "fe80::1%1"}) {
    EXPECT_EQ(proxy_fault(no_address), "is not a numeric address, or one with /BITS behind it")
        << no_address;
  }
  for (const char* no_bits :
       {"10.0.0.0/", "10.0.0.0/33", "10.0.0.0/x", "10.0.0.0/8 ", "10.0.0.0/-1"}) {
    EXPECT_EQ(proxy_fault(no_bits), "has no number of bits behind the '/', at most 32") << no_bits;
  }
  EXPECT_EQ(proxy_fault("fd00::/129"), "has no number of bits behind the '/', at most 128");
  EXPECT_EQ(proxy_fault("10.0.0.1/8"), "says something behind its first 8 bits");
  EXPECT_EQ(proxy_fault("10.0.0.0/0"), "would be everybody");
}

TEST(IpNetwork, HasWhatBeginsAsItDoes) {
  const auto has = [](const char* network, const char* address) {
    return IpNetwork::parse(network)->contains(ip(address));
  };
  EXPECT_TRUE(has("10.0.0.0/9", "10.127.255.255"));
  EXPECT_FALSE(has("10.0.0.0/9", "10.128.0.0"));
  EXPECT_TRUE(has("2001:db8:8000::/33", "2001:db8:ffff::1"));
  EXPECT_FALSE(has("2001:db8:8000::/33", "2001:db8:7fff::1"));
  EXPECT_TRUE(has("::1", "::1"));
  EXPECT_FALSE(has("::1", "127.0.0.1"));
  EXPECT_TRUE(has("10.0.0.0/8", "::ffff:10.0.0.1"));
  EXPECT_FALSE(IpNetwork::parse("10.0.0.0/8")->contains(IpAddress()));
}

}  // namespace
}  // namespace tocsin::net
