#include "net/jose/jws.h"

#include <string>
#include <string_view>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "net/jose/base64url.h"

namespace tocsin::net {
namespace {

using testing::HasSubstr;

std::string compact(std::string_view header, std::string_view payload = "{}") {
  return base64url_encode(header) + '.' + base64url_encode(payload) + ".c2ln";
}
std::string fault_of(std::string_view token) {
  const auto jws = parse_jws(token);
  return jws ? "" : jws.error();
}
std::string fault_of_header(std::string_view header) {
  return fault_of(compact(header));
}

TEST(Jws, IsTakenApart) {
  const std::string token = compact(R"({"alg":"ES256","kid":"2024-a","typ":"JWT"})", R"({"a":1})");
  const auto jws = parse_jws(token);
  ASSERT_TRUE(jws) << jws.error();
  EXPECT_EQ(jws->algorithm, Algorithm::es256);
  EXPECT_EQ(jws->key_id, "2024-a");
  EXPECT_EQ(jws->payload, R"({"a":1})");
  EXPECT_EQ(jws->signature.view(), "sig");
  EXPECT_EQ(std::string(jws->signed_part) + ".c2ln", token);
}

TEST(Jws, HasThreeParts) {
  const std::string good = compact(R"({"alg":"HS256"})");
  EXPECT_EQ(fault_of(good), "");
  for (const std::string& bad :
       std::vector<std::string>{"", ".", "..", "a.b", good + ".", good + ".AA", '.' + good,
                                good.substr(0, good.rfind('.'))}) {
    EXPECT_NE(fault_of(bad), "") << bad;
  }
}

TEST(Jws, IsStrictBase64Url) {
  const std::string good = compact(R"({"alg":"HS256","kid":"x"})", R"({"a":"1"})");
  ASSERT_EQ(fault_of(good), "");
  for (std::size_t at = 0; at <= good.size(); ++at) {
    for (const std::string_view piece : {"=", "\n", " ", "+", "/", "\r\n", "%3D"}) {
      std::string bad = good;
      EXPECT_NE(fault_of(bad.insert(at, piece)), "") << bad;
    }
  }
}

TEST(Jws, SaysAnAlgorithmThatTheHubKnows) {
  for (const std::string_view name :
       {"HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256",
        "ES384", "ES512", "EdDSA", "Ed25519"}) {
    EXPECT_EQ(fault_of_header("{\"alg\":\"" + std::string(name) + "\"}"), "") << name;
  }
  for (const std::string_view name : {"none", "None", "nOnE", "NONE"}) {
    EXPECT_THAT(fault_of_header("{\"alg\":\"" + std::string(name) + "\"}"),
                HasSubstr("not signed"));
  }
  for (const std::string_view header :
       {R"({})", R"({"alg":""})", R"({"alg":null})", R"({"alg":["HS256"]})", R"({"alg":"hs256"})",
        R"({"alg":"HS256 "})", R"({"alg":"ES256K"})", R"({"alg":"HS1"})", R"({"alg":"dir"})",
        R"({"alg":"RS256","alg":"none"})", R"({"alg":"none","\u0061lg":"HS256"})", R"("HS256")"}) {
    EXPECT_NE(fault_of_header(header), "") << header;
  }
}

TEST(Jws, BringsNoKeyAndNothingCritical) {
  for (const std::string_view member :
       {R"("jwk":{"kty":"oct","k":"AA"})", R"("jku":"https://evil.example/jwks")",
        R"("x5u":"https://evil.example/x")", R"("x5c":["AA"])", R"("crit":["exp"])", R"("crit":[])",
        R"("crit":["b64"],"b64":false)", R"("b64":false)", R"("b64":true)", R"("jwk":null)",
        R"("crit":null)", R"("\u006awk":1)"}) {
    EXPECT_NE(fault_of_header("{\"alg\":\"HS256\"," + std::string(member) + "}"), "") << member;
  }
  EXPECT_EQ(fault_of_header(R"({"alg":"HS256","x5t":"AA","cty":"x","nonce":"1"})"), "");
}

TEST(Jws, NamesItsKeyPlainly) {
  for (const std::string_view kid :
       {"1", "2024-01", "a/b+c=", "https://id.example/keys#1", "9f86d081-884c-4d65", "A:B@C"}) {
    EXPECT_EQ(fault_of_header("{\"alg\":\"HS256\",\"kid\":\"" + std::string(kid) + "\"}"), "")
        << kid;
  }
  const std::string long_kid(kMaxKeyId + 1, 'k');
  for (const std::string_view kid :
       {R"("")", R"(7)", R"(null)", R"(["1"])", R"({"a":1})", R"("../../dev/null")", R"("a b")",
        R"("a\u0000")", R"("a\n")", R"("'; --")", R"("a\\b")", R"("a\"b")", R"("schlüssel")",
        R"("a\u007f")"}) {
    EXPECT_NE(fault_of_header("{\"alg\":\"HS256\",\"kid\":" + std::string(kid) + "}"), "") << kid;
  }
  EXPECT_NE(fault_of_header("{\"alg\":\"HS256\",\"kid\":\"" + long_kid + "\"}"), "");
}

TEST(Jws, IsForNothingElse) {
  for (const std::string_view type : {"JWT", "jwt", "at+jwt", "application/at+JWT", "JOSE"}) {
    EXPECT_EQ(fault_of_header("{\"alg\":\"HS256\",\"typ\":\"" + std::string(type) + "\"}"), "");
  }
  for (const std::string_view type :
       {R"("logout+jwt")", R"("secevent+jwt")", R"("dpop+jwt")", R"("")", "1", R"("JWE")"}) {
    EXPECT_NE(fault_of_header("{\"alg\":\"HS256\",\"typ\":" + std::string(type) + "}"), "") << type;
  }
}

TEST(Jws, HasABound) {
  const std::string head = compact(R"({"alg":"HS256"})", std::string(9000, ' ') + "{}");
  EXPECT_EQ(fault_of(head), "");
  EXPECT_THAT(fault_of(std::string(kMaxJws + 1, 'A')), HasSubstr("at most 16384"));
  EXPECT_THAT(fault_of(compact(R"({"alg":"HS256"})", std::string(65'536, ' '))),
              HasSubstr("at most 16384"));
}

// What a header says is never repeated: it may be anything.
TEST(Jws, RepeatsNothing) {
  for (const std::string_view header :
       {R"({"alg":"<hidden>"})", R"({"alg":"HS256","kid":"<hidden>\u0000"})",
        R"({"alg":"HS256","typ":"<hidden>"})", R"({"<hidden>")"}) {
    EXPECT_THAT(fault_of_header(header), testing::Not(HasSubstr("hidden"))) << header;
  }
}

}  // namespace
}  // namespace tocsin::net
