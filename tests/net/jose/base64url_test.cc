#include "net/jose/base64url.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace tocsin::net {
namespace {

TEST(Base64Url, IsThatOfTheStandard) {
  // RFC 4648, 10, without padding; RFC 7515, C.
  EXPECT_EQ(base64url_encode(""), "");
  EXPECT_EQ(base64url_encode("f"), "Zg");
  EXPECT_EQ(base64url_encode("foobar"), "Zm9vYmFy");
  EXPECT_EQ(base64url_encode("\x03\xec\xff\xe0\xc1"), "A-z_4ME");
  EXPECT_EQ(base64url_decode("A-z_4ME"), "\x03\xec\xff\xe0\xc1");
}

TEST(Base64Url, ComesBack) {
  std::string bytes;
  for (int i = 0; i < 300; ++i) {
    EXPECT_EQ(base64url_decode(base64url_encode(bytes)), bytes);
    bytes += static_cast<char>(i * 7);
  }
}

TEST(Base64Url, TakesNoOtherText) {
  const std::vector<std::string> bad = {"Zg==", "Zg=",   "Zg\n", "Z g",     "\nZg",  "Zm9+", "Zm9/",
                                        "Z",    "Zm9vY", "Zh",   "Zm9vYmG", "Zm\0v", "Zg.",  "é",
                                        "Zm9\xad", "Zm9\xdf"};
  for (const std::string& text : bad) {
    EXPECT_EQ(base64url_decode(text), std::nullopt) << text;
  }
  EXPECT_EQ(base64url_decode(std::string_view("Zm9v\0Zm9v", 9)), std::nullopt);
}

// Of all texts that decode to some bytes, one is taken.
TEST(Base64Url, HasOneTextForTheSameBytes) {
  constexpr std::string_view kAlphabet =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  int taken = 0;
  for (const char a : kAlphabet) {
    for (const char b : kAlphabet) {
      const auto bytes = base64url_decode(std::string({a, b}));
      if (!bytes) continue;
      ++taken;
      EXPECT_EQ(base64url_encode(*bytes), std::string({a, b}));
    }
  }
  EXPECT_EQ(taken, 256);
}

}  // namespace
}  // namespace tocsin::net
