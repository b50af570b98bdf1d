#include "net/listen_address.h"

#include <netinet/in.h>

#include <cstring>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tocsin::net {
namespace {

using testing::HasSubstr;

TEST(ListenAddress, WhatIsParsedPrintsTheSame) {
  for (const char* text :
       {"127.0.0.1:8080", "0.0.0.0:0", "[::1]:8080", "[::]:65535", "[::ffff:127.0.0.1]:1"}) {
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
}

}  // namespace
}  // namespace tocsin::net
