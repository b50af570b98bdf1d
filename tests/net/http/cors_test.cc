#include "net/http/cors.h"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tocsin::net {
namespace {

using testing::HasSubstr;

constexpr const char* kBeyondAscii = "https://m\xc3\xbcller.example";

TEST(Cors, AnOriginIsWrittenAsBrowsersWriteIt) {
  for (const char* good :
       {"*", "https://example.com", "http://localhost", "http://127.0.0.1:3000",
        "http://[::1]:8080", "http://[2001:db8::1]", "https://xn--bcher-kva.example",
        "http://example.com:443", "https://example.com:80", "https://a_b.example:65535",
        "chrome-extension://abcdefgh", "capacitor://localhost", "vscode-webview://0a1b-2c"}) {
    EXPECT_EQ(origin_fault(good), "") << good;
  }
  for (const char* bad :
       {"", "example.com", "//example.com", "://example.com", "https:", "https://", "https:///",
        "https://:80", "1s://example.com", "ht tp://example.com", "https://example.com:",
        "https://example.com:0", "https://example.com:65536", "https://example.com:08",
        "https://example.com:+1", "https://example.com:80x", "https://exa mple.com",
        "https://example.com\r\nX: y", "https://example.com,https://b.example", "http://::1",
        "http://[::1", "http://[::1]x:1", "http://[example]", kBeyondAscii}) {
    EXPECT_NE(origin_fault(bad), "") << bad;
  }
}

// What is nearly right is told what is wrong with it.
TEST(Cors, SaysWhatIsWrong) {
  EXPECT_THAT(origin_fault("null"), HasSubstr("whoever made it"));
  EXPECT_THAT(origin_fault("https://example.com/"), HasSubstr("without a path"));
  EXPECT_THAT(origin_fault("https://me@example.com"), HasSubstr("or a user"));
  EXPECT_THAT(origin_fault("https://*.example.com"), HasSubstr("is a pattern"));
  EXPECT_THAT(origin_fault("https://Example.com"), HasSubstr("lower case"));
  EXPECT_THAT(origin_fault("HTTPS://example.com"), HasSubstr("lower case"));
  EXPECT_THAT(origin_fault("https://example.com:443"), HasSubstr(": https://example.com"));
  EXPECT_THAT(origin_fault("http://[::1]:80"), HasSubstr(": http://[::1]"));
  EXPECT_THAT(origin_fault("https://example.com:x"), HasSubstr("no port"));
  EXPECT_THAT(origin_fault(kBeyondAscii), HasSubstr("xn--"));
}

constexpr const char* kAny = "Access-Control-Allow-Origin: *\r\n";
constexpr const char* kVary = "Vary: Origin\r\n";
constexpr const char* kNamed =
    "Access-Control-Allow-Origin: https://a.example\r\n"
    "Access-Control-Allow-Credentials: true\r\n"
    "Vary: Origin\r\n";

TEST(Cors, EverybodyIsTheSameToEverybody) {
  const std::vector<std::string> origins{"*"};
  const Cors cors(origins);
  for (const char* origin : {"", "https://a.example", "null", "nonsense"}) {
    EXPECT_EQ(cors.fields_for(origin), kAny);
  }
}

TEST(Cors, TheListIsEchoedWithCredentials) {
  const std::vector<std::string> origins{"https://b.example", "https://a.example"};
  const Cors cors(origins);
  EXPECT_EQ(cors.fields_for("https://a.example"), kNamed);
  for (const char* origin : {"", "https://a.example:444", "http://a.example", "https://A.example",
                             "https://a.example.org", "https://a.exampl", "null",
                             "https://a.example, https://b.example"}) {
    EXPECT_EQ(cors.fields_for(origin), kVary) << origin;
  }
}

TEST(Cors, TheListMayStandBesideEverybody) {
  const std::vector<std::string> origins{"*", "https://a.example"};
  const Cors cors(origins);
  EXPECT_EQ(cors.fields_for("https://a.example"), kNamed);
  EXPECT_EQ(cors.fields_for("https://b.example"), std::string(kAny) + kVary);
  EXPECT_EQ(cors.fields_for(""), std::string(kAny) + kVary);
}

TEST(Cors, NobodyIsPossible) {
  EXPECT_EQ(Cors({}).fields_for("https://a.example"), "");
}

}  // namespace
}  // namespace tocsin::net
