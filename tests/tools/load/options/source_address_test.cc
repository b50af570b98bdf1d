#include "tools/load/options/source_address.h"

#include <arpa/inet.h>

#include <map>
#include <set>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tocsin::load {
namespace {

using ::testing::HasSubstr;

SourceAddresses parsed(std::string_view text) {
  auto result = SourceAddresses::parse(text);
  EXPECT_TRUE(result) << (result ? "" : result.error());
  return result ? *result : SourceAddresses();
}

std::string of(const SourceAddresses& addresses, std::uint32_t index, std::uint32_t attempt = 0) {
  char text[INET_ADDRSTRLEN];
  const in_addr address = addresses.of(index, attempt);
  return inet_ntop(AF_INET, &address, text, sizeof text);
}

TEST(SourceAddresses, AreEmptyAtFirst) {
  EXPECT_TRUE(SourceAddresses().is_empty());
  EXPECT_EQ(SourceAddresses().count(), 0U);
}

TEST(SourceAddresses, ThousandSubscribersShareAnAddress) {
  const SourceAddresses addresses = parsed("127.0.0.9,127.1.0.254-127.1.1.1");
  EXPECT_EQ(addresses.count(), 5U);
  EXPECT_EQ(of(addresses, 0), "127.0.0.9");
  EXPECT_EQ(of(addresses, 999), "127.0.0.9");
  EXPECT_EQ(of(addresses, 1000), "127.1.0.254");
  EXPECT_EQ(of(addresses, 2000), "127.1.0.255");
  EXPECT_EQ(of(addresses, 3000), "127.1.1.0");
  EXPECT_EQ(of(addresses, 4999), "127.1.1.1");
  EXPECT_EQ(of(addresses, 5000), "127.0.0.9");
}

TEST(SourceAddresses, NetworksLeaveOutTheirOwnAndTheBroadcastAddress) {
  EXPECT_EQ(parsed("127.0.0.0/8").count(), (1U << 24) - 2);
  EXPECT_EQ(of(parsed("127.0.0.0/8"), 0), "127.0.0.1");
  EXPECT_EQ(of(parsed("10.2.0.0/30"), 1000), "10.2.0.2");
  EXPECT_EQ(parsed("10.2.0.0/30").count(), 2U);
  EXPECT_EQ(parsed("10.2.0.4/31").count(), 2U);
  EXPECT_EQ(of(parsed("10.2.0.4/32"), 0), "10.2.0.4");
}

TEST(SourceAddresses, EachAttemptHasAnotherAddressAsFarAsThereAreAny) {
  for (const std::string text : {"127.0.0.1", "127.0.0.1-127.0.0.2", "127.0.0.1-127.0.0.3",
                                 "127.0.0.1-127.0.0.10", "127.0.0.0/24"}) {
    const SourceAddresses addresses = parsed(text);
    std::set<std::string> seen;
    for (std::uint32_t attempt = 0; attempt < addresses.count(); ++attempt) {
      seen.insert(of(addresses, 4711, attempt));
    }
    EXPECT_EQ(seen.size(), addresses.count()) << text;
  }
}

TEST(SourceAddresses, AttemptsKeepAwayFromTheAddressesOfTheLastOne) {
  const SourceAddresses addresses = parsed("127.0.0.0/16");
  std::set<std::string> first;
  for (std::uint32_t block = 0; block < 1000; ++block) first.insert(of(addresses, block * 1000));
  for (std::uint32_t attempt = 1; attempt < 20; ++attempt) {
    EXPECT_FALSE(first.contains(of(addresses, 0, attempt))) << attempt;
  }
  EXPECT_EQ(of(addresses, 0, ~0U).size() > 6, true);
}

TEST(SourceAddresses, BadTextIsExplained) {
  const std::map<std::string, std::string> cases = {
      {"", "an address is missing"},
      {"127.0.0.1,", "an address is missing"},
      {"localhost", "'localhost' is no IPv4 address"},
      {"::1", "no IPv4 address"},
      {"127.0.0", "no IPv4 address"},
      {"127.0.0.1-", "behind the '-' is no IPv4 address"},
      {"127.0.0.9-127.0.0.1", "ends before it begins"},
      {"127.0.0.0/33", "a number from 0 to 32"},
      {"127.0.0.0/", "a number from 0 to 32"},
      {"x/8", "before the '/' is no IPv4 address"},
      {"127.0.0.1/8", "bits set behind the first 8"},
      {"0.0.0.0/0", "only 1.0.0.0 to 223.255.255.255"},
      {"223.0.0.0-224.0.0.1", "only 1.0.0.0 to 223.255.255.255"},
      {"127.0.0.1,10.0.0.256", "'10.0.0.256'"},
  };
  for (const auto& [text, why] : cases) {
    const auto result = SourceAddresses::parse(text);
    ASSERT_FALSE(result) << text;
    EXPECT_THAT(result.error(), HasSubstr(why));
  }
}

}  // namespace
}  // namespace tocsin::load
