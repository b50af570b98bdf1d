#include "net/io/listen_address.h"

#include <netinet/in.h>

#include <cstring>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/net/support/socket_address.h"

namespace tocsin::net {
namespace {

using testing::HasSubstr;

TEST(ListenAddress, WhatIsParsedPrintsTheSame) {
  for (const char* text :
       {"127.0.0.1:8080", "0.0.0.0:0", "[::1]:8080", "[::]:65535", "[2001:db8::1]:1"}) {
    const auto address = parse_listen_address(text);
    ASSERT_TRUE(address) << text << ": " << address.error();
    EXPECT_EQ(format_address(reinterpret_cast<const sockaddr*>(&address->storage)), text);
  }
}

TEST(ListenAddress, HasTheFamilysLength) {
  EXPECT_EQ(parse_listen_address("127.0.0.1:1")->length, sizeof(sockaddr_in));
  EXPECT_EQ(parse_listen_address("[::1]:1")->length, sizeof(sockaddr_in6));
}

TEST(ListenAddress, MistakesAreNamed) {
  const auto complaint = [](const char* text) {
    const auto address = parse_listen_address(text);
    return address ? std::string("accepted") : address.error();
  };
  EXPECT_THAT(complaint(""), HasSubstr("has no port"));
  EXPECT_THAT(complaint("127.0.0.1"), HasSubstr("has no port"));
  EXPECT_THAT(complaint("[::1]"), HasSubstr("has no port"));
  EXPECT_THAT(complaint(":8080"), HasSubstr("address is missing"));
  EXPECT_THAT(complaint("127.0.0.1:"), HasSubstr("from 0 to 65535"));
  EXPECT_THAT(complaint("127.0.0.1:65536"), HasSubstr("from 0 to 65535"));
  EXPECT_THAT(complaint("127.0.0.1:-1"), HasSubstr("from 0 to 65535"));
  EXPECT_THAT(complaint("127.0.0.1:80x"), HasSubstr("from 0 to 65535"));
  EXPECT_THAT(complaint("::1:8080"), HasSubstr("in brackets"));
  EXPECT_THAT(complaint("[127.0.0.1]:8080"), HasSubstr("numeric IPv6"));
  EXPECT_THAT(complaint("localhost:8080"), HasSubstr("not looked up"));
  EXPECT_THAT(complaint("127.0.0.256:8080"), HasSubstr("numeric address"));
  // The kernel would refuse them: EINVAL, of which nobody knows what it means.
  EXPECT_THAT(complaint("[::ffff:127.0.0.1]:8080"), HasSubstr("address of IPv4"));
  EXPECT_THAT(complaint("[fe80::1]:8080"), HasSubstr("address of one link"));
}

// What parse_listen_addresses says of them.
std::string complaint_of(const std::vector<std::string>& texts) {
  const auto addresses = parse_listen_addresses(texts);
  if (!addresses) return addresses.error();
  EXPECT_EQ(addresses->size(), texts.size());
  return "";
}

TEST(ListenAddress, EachPortOnceHoweverItIsSpelled) {
  EXPECT_EQ(complaint_of({"127.0.0.1:80", "127.0.0.1:80"}), "listen names 127.0.0.1:80 twice");
  EXPECT_EQ(complaint_of({"[::1]:80", "127.0.0.1:80", "[0:0::0:1]:080"}),
            "listen names one address twice: [::1]:80 and [0:0::0:1]:080");
  EXPECT_EQ(complaint_of({"127.0.0.1:80", "0.0.0.0:80"}),
            "listen names 127.0.0.1:80, which is a part of 0.0.0.0:80");
  EXPECT_EQ(complaint_of({"[::]:80", "[::1]:80"}),
            "listen names [::1]:80, which is a part of [::]:80");
  EXPECT_EQ(complaint_of({"127.0.0.1:80", "127.0.0.1:x"}),
            "listen 127.0.0.1:x: the port must be a number from 0 to 65535");
}

TEST(ListenAddress, NobodyConnectsToAGroup) {
  for (const char* text : {"224.0.0.1:1", "239.255.255.255:0", "[ff02::1]:1", "[ff00::]:0"}) {
    EXPECT_EQ(parse_listen_address(text).error(),
              "is a multicast address: nobody can connect to it");
  }
  EXPECT_EQ(parse_listen_address("255.255.255.255:1").error(),
            "is the broadcast address: nobody can connect to it");
  EXPECT_TRUE(parse_listen_address("223.255.255.255:1") && parse_listen_address("[fec0::1]:1"));
}

TEST(ListenAddress, DifferentOnesStandSideBySide) {
  EXPECT_EQ(complaint_of({"0.0.0.0:80", "[::]:80"}), "");
  EXPECT_EQ(complaint_of({"127.0.0.1:80", "127.0.0.1:81"}), "");
  EXPECT_EQ(complaint_of({"127.0.0.1:80", "127.0.0.2:80"}), "");
  EXPECT_EQ(complaint_of({"0.0.0.0:80", "127.0.0.1:81"}), "");
  EXPECT_EQ(complaint_of({"127.0.0.1:0", "127.0.0.1:0", "0.0.0.0:0"}), "") << "three ports";
}

TEST(ListenAddress, Loopback) {
  for (const char* text : {"127.0.0.1:1", "127.255.0.9:1", "[::1]:1"}) {
    EXPECT_TRUE(is_loopback(parse_listen_address(text).value())) << text;
  }
  for (const char* text :
       {"0.0.0.0:1", "126.0.0.1:1", "10.127.0.1:1", "[::]:1", "[1::7f00:1]:1"}) {
    EXPECT_FALSE(is_loopback(parse_listen_address(text).value())) << text;
  }
  // Of sockets that somebody else has opened.
  EXPECT_TRUE(is_loopback(socket_address("[::ffff:127.0.0.1]")));
  for (const char* host : {"[::ffff:10.0.0.1]", "[fe80::1]"}) {
    EXPECT_FALSE(is_loopback(socket_address(host))) << host;
  }
}

}  // namespace
}  // namespace tocsin::net
