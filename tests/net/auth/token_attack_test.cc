// Tokens that attackers have got past other programs.
#include <array>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "net/auth/token_verifier.h"
#include "net/jose/base64url.h"
#include "tests/net/support/token_maker.h"

namespace tocsin::net {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr std::int64_t kNow = 1'700'000'000;
constexpr std::string_view kClaims = R"({"exp":1700000060,"tocsin":{"subscribe":["*"]}})";

class TokenAttack : public testing::Test {
 protected:
  TokenAttack() : verifier_(issuers()) {}

  std::vector<Issuer> issuers() {
    std::vector<Issuer> issuers;
    issuers.push_back({.name = "", .keys = {rsa_.key(), hmac_.key()}});
    return issuers;
  }

  DenialCause cause_of(std::string_view token) {
    const auto verified = verifier_.verify(token, kNow);
    EXPECT_FALSE(verified) << token;
    if (verified) return DenialCause::no_credential;
    const std::string& reason = verified.error().reason;
    EXPECT_TRUE(is_showable_reason(reason)) << reason;
    EXPECT_THAT(reason, Not(HasSubstr(std::string(token.substr(0, 12))))) << "repeats the token";
    return verified.error().cause;
  }

  const TokenMaker rsa_{Algorithm::rs256, "rsa"};
  const TokenMaker hmac_{Algorithm::hs256, "hmac"};
  const TokenVerifier verifier_;
};

TEST_F(TokenAttack, TheGoodOnesAreGood) {
  EXPECT_TRUE(verifier_.verify(rsa_.token(kClaims), kNow));
  EXPECT_TRUE(verifier_.verify(hmac_.token(kClaims), kNow));
}

// HS256 with the text of the public key as the secret: whoever verifies by what the token says
// takes it.
TEST_F(TokenAttack, ThePublicKeyIsNoSecret) {
  const std::string pem = rsa_.public_pem();
  for (const std::string& secret : {pem, pem.substr(0, pem.size() - 1)}) {
    for (const std::string_view header : {R"({"alg":"HS256","kid":"rsa"})", R"({"alg":"HS256"})",
                                          R"({"alg":"HS512","kid":"rsa"})"}) {
      const std::string message = base64url_encode(header) + '.' + base64url_encode(kClaims);
      std::array<unsigned char, 64> value{};
      const Hash hash = header.contains("512") ? Hash::sha512 : Hash::sha256;
      cause_of(message + '.' + base64url_encode(Hmac(hash, secret).sign(message, value)));
    }
  }
  EXPECT_EQ(cause_of(rsa_.token_with(R"({"alg":"HS256","kid":"rsa"})", kClaims)),
            DenialCause::algorithm);
  EXPECT_EQ(cause_of(hmac_.token_with(R"({"alg":"RS256","kid":"hmac"})", kClaims)),
            DenialCause::algorithm);
  EXPECT_EQ(cause_of(hmac_.token_with(R"({"alg":"ES256"})", kClaims)), DenialCause::algorithm);
}

// The same key with another of its algorithms is another key.
TEST_F(TokenAttack, AnAlgorithmBelongsToItsKey) {
  for (const std::string_view alg : {"RS384", "PS256", "ES256", "EdDSA", "HS384"}) {
    EXPECT_EQ(
        cause_of(rsa_.token_with(R"({"alg":")" + std::string(alg) + R"(","kid":"rsa"})", kClaims)),
        DenialCause::algorithm);
  }
}

TEST_F(TokenAttack, ATokenIsSigned) {
  const std::string payload = '.' + base64url_encode(kClaims) + '.';
  for (const std::string_view alg : {"none", "None", "NONE", "nOnE", ""}) {
    const std::string header =
        base64url_encode(R"({"alg":")" + std::string(alg) + R"(","typ":"JWT"})");
    EXPECT_EQ(cause_of(header + payload), DenialCause::malformed);
    EXPECT_EQ(cause_of(header + payload + "AAAA"), DenialCause::malformed);
  }
  const std::string good = hmac_.token(kClaims);
  EXPECT_EQ(cause_of(good.substr(0, good.rfind('.') + 1)), DenialCause::signature);
}

// A key that comes with the token, and is really the one that signed it.
TEST_F(TokenAttack, ATokenBringsNoKey) {
  const TokenMaker own(Algorithm::rs256, "own");
  for (const std::string& member :
       {R"("jwk":)" + own.jwk(), std::string(R"("jku":"https://evil.example/jwks.json")"),
        std::string(R"("x5u":"https://evil.example/cert.pem")"),
        std::string(R"("x5c":["AAAA"])")}) {
    EXPECT_EQ(cause_of(own.token_with(R"({"alg":"RS256",)" + member + "}", kClaims)),
              DenialCause::malformed);
    EXPECT_EQ(cause_of(rsa_.token_with(R"({"alg":"RS256","kid":"rsa",)" + member + "}", kClaims)),
              DenialCause::malformed)
        << "signed with a good key, too";
  }
}

TEST_F(TokenAttack, NothingCriticalIsIgnored) {
  for (const std::string_view member :
       {R"("crit":["exp"],"exp":1)", R"("crit":["b64"],"b64":false)", R"("crit":["x"],"x":1)",
        R"("crit":[])", R"("crit":"exp")"}) {
    EXPECT_EQ(cause_of(hmac_.token_with(
                  R"({"alg":"HS256","kid":"hmac",)" + std::string(member) + "}", kClaims)),
              DenialCause::malformed);
  }
}

TEST_F(TokenAttack, AKidIsANameAndNoPath) {
  for (const std::string_view kid : {"../../../../dev/null", "/proc/self/../environ", "a\\u0000b",
                                     "' OR 1=1 --", "$(id)\\n", "| cat"}) {
    EXPECT_EQ(cause_of(hmac_.token_with(R"({"alg":"HS256","kid":")" + std::string(kid) + R"("})",
                                        kClaims)),
              DenialCause::malformed)
        << kid;
  }
  for (const std::string_view kid :
       {"/dev/null", "/etc/passwd", "https://evil.example/k", "HMAC"}) {
    EXPECT_EQ(cause_of(hmac_.token_with(R"({"alg":"HS256","kid":")" + std::string(kid) + R"("})",
                                        kClaims)),
              DenialCause::unknown_key)
        << kid;
  }
}

TEST_F(TokenAttack, NothingIsSaidTwice) {
  for (const std::string_view payload :
       {R"({"exp":1,"exp":1700000060})",
        R"({"exp":1700000060,"tocsin":{"publish":["a"]},"tocsin":{}})",
        R"({"exp":1700000060,"tocsin":{"publish":["a"],"publish":["*"]}})",
        R"({"exp":1700000060,"sub":"a","\u0073ub":"b"})"}) {
    EXPECT_EQ(cause_of(hmac_.token(payload)), DenialCause::malformed) << payload;
  }
  EXPECT_EQ(cause_of(hmac_.token_with(R"({"alg":"HS256","kid":"x","kid":"hmac"})", kClaims)),
            DenialCause::malformed);
  EXPECT_EQ(cause_of(hmac_.token_with(R"({"alg":"none","alg":"HS256"})", kClaims)),
            DenialCause::malformed);
}

TEST_F(TokenAttack, SizesAreBounded) {
  EXPECT_EQ(cause_of(hmac_.token(R"({"exp":1700000060,"x":")" + std::string(65'536, 'x') + "\"}")),
            DenialCause::malformed);
  EXPECT_EQ(cause_of(std::string(65'536, 'e')), DenialCause::malformed);
  EXPECT_EQ(cause_of(std::string(10'000, '.')), DenialCause::malformed);
  const std::string deep =
      R"({"exp":1700000060,"x":)" + std::string(4000, '[') + std::string(4000, ']') + "}";
  EXPECT_EQ(cause_of(hmac_.token(deep)), DenialCause::malformed);
  EXPECT_EQ(
      cause_of(hmac_.token_with(R"({"alg":"HS256","x":)" + std::string(4000, '[') + "}", kClaims)),
      DenialCause::malformed);
  std::string selectors;
  for (int i = 0; i < 1000; ++i) selectors += (i == 0 ? "\"" : ",\"") + std::to_string(i) + '"';
  EXPECT_EQ(
      cause_of(hmac_.token(R"({"exp":1700000060,"tocsin":{"subscribe":[)" + selectors + "]}}")),
      DenialCause::malformed);
}

TEST_F(TokenAttack, OneTextIsOneToken) {
  const std::string good = hmac_.token(kClaims);
  for (const std::string& bad : std::vector<std::string>{
           good + "=", good + "==", good + "\n", " " + good, good + " ", "Bearer " + good,
           good + ".", good + "%3D", '"' + good + '"', good + "," + good}) {
    EXPECT_EQ(cause_of(bad), DenialCause::malformed) << bad;
  }
  for (std::size_t at = 0; at < good.size(); at += 7) {
    std::string bad = good;
    EXPECT_EQ(cause_of(bad.insert(at, "\n")), DenialCause::malformed);
  }
  // Bits behind the last byte, which a lax decoder drops.
  std::string last = good;
  constexpr std::string_view kAlphabet =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  last.back() = kAlphabet[kAlphabet.find(last.back()) | 1];
  EXPECT_EQ(cause_of(last), DenialCause::malformed);
}

TEST_F(TokenAttack, TheFormsOfOthersAreNone) {
  const std::string good = hmac_.token(kClaims);
  const std::size_t first = good.find('.');
  const std::size_t second = good.rfind('.');
  const std::string json = R"({"protected":")" + good.substr(0, first) + R"(","payload":")" +
                           good.substr(first + 1, second - first - 1) + R"(","signature":")" +
                           good.substr(second + 1) + R"("})";
  EXPECT_EQ(cause_of(json), DenialCause::malformed) << "JWS in JSON";
  EXPECT_EQ(cause_of(good.substr(0, second) + ".a.b.c"), DenialCause::malformed) << "JWE";
}

// Every single bit of a token matters.
TEST_F(TokenAttack, NoBitMayChange) {
  const std::string good = hmac_.token(kClaims);
  for (std::size_t at = 0; at < good.size(); ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string bad = good;
      bad[at] = static_cast<char>(bad[at] ^ (1 << bit));
      EXPECT_FALSE(verifier_.verify(bad, kNow)) << at << ' ' << bit;
    }
  }
}

}  // namespace
}  // namespace tocsin::net
