#include "net/jose/digest.h"

#include <array>
#include <string>

#include <gtest/gtest.h>

namespace tocsin::net {
namespace {

std::string hex(std::string_view bytes) {
  constexpr std::string_view kHex = "0123456789abcdef";
  std::string out;
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    out += kHex[byte >> 4];
    out += kHex[byte & 0xF];
  }
  return out;
}
std::string hex(const Digest& digest) {
  return hex({reinterpret_cast<const char*>(digest.data()), digest.size()});
}

TEST(Digest, IsSha256) {
  EXPECT_EQ(hex(sha256("abc")), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(hex(sha256("")), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

// RFC 4231, 4.3.
TEST(Hmac, IsThatOfTheStandard) {
  std::array<unsigned char, 64> value{};
  const std::string message = "what do ya want for nothing?";
  EXPECT_EQ(hex(Hmac(Hash::sha256, "Jefe").sign(message, value)),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  EXPECT_EQ(hex(Hmac(Hash::sha384, "Jefe").sign(message, value)),
            "af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e"
            "8e2240ca5e69e2c78b3239ecfab21649");
  EXPECT_EQ(hex(Hmac(Hash::sha512, "Jefe").sign(message, value)),
            "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea250554"
            "9758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737");
}

TEST(Hmac, CanBeUsedAgain) {
  const Hmac hmac(Hash::sha256, "key");
  std::array<unsigned char, 64> value{};
  const std::string first(hmac.sign("one", value));
  EXPECT_NE(hmac.sign("two", value), first);
  EXPECT_EQ(hmac.sign("one", value), first);
  EXPECT_TRUE(hmac.verify("one", first));
}

TEST(Hmac, TakesNothingButTheWholeValue) {
  const Hmac hmac(Hash::sha256, "key");
  std::array<unsigned char, 64> value{};
  const std::string good(hmac.sign("message", value));
  for (std::size_t i = 0; i < good.size(); ++i) {
    std::string bad = good;
    bad[i] = static_cast<char>(bad[i] ^ 1);
    EXPECT_FALSE(hmac.verify("message", bad));
    EXPECT_FALSE(hmac.verify("message", good.substr(0, i)));
  }
  EXPECT_FALSE(hmac.verify("message", good + '\0'));
}

TEST(Digest, ComparesAllBytes) {
  EXPECT_TRUE(same_bytes("", ""));
  EXPECT_TRUE(same_bytes("abc", "abc"));
  EXPECT_FALSE(same_bytes("abc", "abd"));
  EXPECT_FALSE(same_bytes("abc", "ab"));
  EXPECT_FALSE(same_bytes(sha256("a"), sha256("b")));
}

}  // namespace
}  // namespace tocsin::net
