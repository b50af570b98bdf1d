#include "net/jose/key_documents.h"

#include <openssl/evp.h>
#include <openssl/rsa.h>

#include <string>
#include <string_view>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "net/jose/base64url.h"
#include "tests/net/support/token_maker.h"

namespace tocsin::net {
namespace {

using testing::HasSubstr;
using testing::Not;

LoadedKeys load(std::string_view jwks, JwksOrigin origin = JwksOrigin::file,
                std::optional<Algorithm> algorithm = {}) {
  return keys_of_jwks(jwks, origin, algorithm);
}
std::string without(std::string text, std::string_view piece) {
  const std::size_t at = text.find(piece);
  return at == text.npos ? text : text.erase(at, piece.size());
}

TEST(KeyDocuments, ASecretLosesOneLineEnd) {
  const std::string secret(32, 's');
  for (const std::string end : {"", "\n", "\r\n"}) {
    const auto keys = keys_of_secret(secret + end, std::nullopt, "k");
    ASSERT_TRUE(keys);
    EXPECT_EQ(keys->front().algorithm(), Algorithm::hs256);
    EXPECT_EQ(keys->front().id(), "k");
  }
  EXPECT_FALSE(keys_of_secret(secret.substr(1) + '\n', std::nullopt, ""));
  EXPECT_FALSE(keys_of_secret("", std::nullopt, ""));
}

TEST(KeyDocuments, APublicKeyIsNoSecret) {
  const auto keys = keys_of_secret(TokenMaker(Algorithm::rs256).public_pem(), Algorithm::hs256, "");
  ASSERT_FALSE(keys);
  EXPECT_THAT(keys.error(), HasSubstr("public key"));
}

TEST(KeyDocuments, PemHasSeveralKeys) {
  const TokenMaker rsa(Algorithm::rs256);
  const TokenMaker ec(Algorithm::es384);
  const TokenMaker ed(Algorithm::eddsa);
  const auto keys =
      keys_of_pem("a comment\n" + rsa.public_pem() + ec.public_pem() + "\n\n" + ed.public_pem(),
                  std::nullopt, "");
  ASSERT_TRUE(keys) << keys.error();
  ASSERT_EQ(keys->size(), 3U);
  EXPECT_TRUE((*keys)[0].verify("m", rsa.sign("m")));
  EXPECT_TRUE((*keys)[1].verify("m", ec.sign("m")));
  EXPECT_TRUE((*keys)[2].verify("m", ed.sign("m")));
}

TEST(KeyDocuments, PemHasTheAlgorithmThatIsWanted) {
  const TokenMaker maker(Algorithm::ps512);
  const auto keys = keys_of_pem(maker.public_pem(), Algorithm::ps512, "");
  ASSERT_TRUE(keys);
  EXPECT_TRUE(keys->front().verify("m", maker.sign("m")));
  EXPECT_FALSE(keys_of_pem(maker.public_pem(), Algorithm::es256, ""));
  EXPECT_FALSE(keys_of_pem(maker.public_pem(), Algorithm::hs256, ""));
}

TEST(KeyDocuments, PemOfAPrivateKeyIsRefused) {
  const TokenMaker maker(Algorithm::es256);
  const auto keys = keys_of_pem(maker.public_pem() + maker.private_pem(), std::nullopt, "");
  ASSERT_FALSE(keys);
  EXPECT_THAT(keys.error(), HasSubstr("private key"));
  EXPECT_FALSE(keys_of_pem("", std::nullopt, ""));
  EXPECT_FALSE(keys_of_pem({}, std::nullopt, "")) << "no memory at all";
  EXPECT_FALSE(keys_of_secret({}, std::nullopt, ""));
  EXPECT_FALSE(keys_of_pem("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
                           std::nullopt, ""));
}

TEST(KeyDocuments, AJwksHasKeysOfEveryType) {
  std::vector<TokenMaker> makers;
  for (const Algorithm algorithm :
       {Algorithm::hs512, Algorithm::rs256, Algorithm::ps384, Algorithm::es256, Algorithm::es384,
        Algorithm::es512, Algorithm::eddsa}) {
    makers.emplace_back(algorithm, "k" + std::to_string(makers.size()));
  }
  std::string jwks;
  for (const TokenMaker& maker : makers) jwks += (jwks.empty() ? "" : ",") + maker.jwk();
  const auto keys = load("{\"keys\":[" + jwks + "]}");
  ASSERT_TRUE(keys) << keys.error();
  ASSERT_EQ(keys->size(), makers.size());
  for (std::size_t i = 0; i < makers.size(); ++i) {
    EXPECT_EQ((*keys)[i].id(), "k" + std::to_string(i));
    EXPECT_TRUE((*keys)[i].verify("m", makers[i].sign("m"))) << i;
  }
}

// What only a private key has, one of it alone.
TEST(KeyDocuments, AJwksHasNothingOfAPrivateKey) {
  const std::string jwk = TokenMaker(Algorithm::rs256).jwk();
  for (const std::string name : {"d", "p", "q", "dp", "dq", "qi", "oth"}) {
    const std::string with = "{\"" + name + "\":\"AQAB\"," + jwk.substr(1);
    const auto keys = keys_of_jwks("{\"keys\":[" + with + "]}", JwksOrigin::file, std::nullopt);
    ASSERT_FALSE(keys) << name;
    EXPECT_THAT(keys.error(), HasSubstr("private key"));
  }
}

TEST(KeyDocuments, AKeyWithoutAlgorithmHasAUsualOne) {
  const TokenMaker rsa(Algorithm::rs256);
  const TokenMaker ec(Algorithm::es256);
  const std::string jwks =
      without(without(jwks_of({&rsa, &ec}), R"("alg":"RS256",)"), R"("alg":"ES256",)");
  const auto usual = load(jwks);
  ASSERT_TRUE(usual);
  EXPECT_EQ((*usual)[0].algorithm(), Algorithm::rs256);
  EXPECT_EQ((*usual)[1].algorithm(), Algorithm::es256);
  const auto wanted = load(jwks, JwksOrigin::file, Algorithm::ps256);
  ASSERT_TRUE(wanted);
  EXPECT_EQ((*wanted)[0].algorithm(), Algorithm::ps256);
  EXPECT_EQ((*wanted)[1].algorithm(), Algorithm::es256) << "it fits no other";
}

// RFC 7517, 5: a set may have keys that a reader does not understand.
TEST(KeyDocuments, KeysForOthersAreIgnored) {
  const TokenMaker good(Algorithm::es256, "good");
  const TokenMaker other(Algorithm::es256, "other");
  const std::string body = other.jwk().substr(1);
  for (const std::string& bad : std::vector<std::string>{
           R"({"kty":"OKP","crv":"X25519","x":"AA"})", R"({"kty":"NEW"})", R"({})",
           "{\"use\":\"enc\"," + body, "{\"key_ops\":[\"sign\"]," + body, "{\"key_ops\":[]," + body,
           R"({"alg":"ES256K",)" + without(body, R"("alg":"ES256",)"),
           R"({"alg":"HS256",)" + without(body, R"("alg":"ES256",)"),
           R"({"kty":"EC","crv":"P-256","x":"AA","y":"AA"})", R"({"kty":"oct","k":"c2hvcnQ"})",
           R"({"kty":"RSA","n":"AQAB","e":"AQAB"})"}) {
    const auto keys = load("{\"keys\":[" + bad + "," + good.jwk() + "]}");
    ASSERT_TRUE(keys) << bad << keys.error();
    ASSERT_EQ(keys->size(), 1U) << bad;
    EXPECT_EQ(keys->front().id(), "good");
    EXPECT_FALSE(load("{\"keys\":[" + bad + "]}")) << bad;
  }
  EXPECT_TRUE(load("{\"keys\":[{\"use\":\"sig\",\"key_ops\":[\"verify\"]," + body + "]}"));
}

TEST(KeyDocuments, KeysThatAreTooWeakAreNamed) {
  const TokenMaker good(Algorithm::es256, "good");
  const std::string n = base64url_encode("\xc1" + std::string(126, 'x') + "\x01");  // 1024 bits
  const std::string weak_key = R"({"kty":"RSA","kid":"old\u0007","e":"AQAB","n":")" + n + "\"}";
  const std::string jwks = "{\"keys\":[" + weak_key + R"(,{"kty":"oct","k":"c2hvcnQ"},)" +
                           R"({"kty":"NEW"},{"use":"enc",)" + weak_key.substr(1) + "," +
                           good.jwk() + "]}";
  std::vector<std::string> weak;
  const auto keys = keys_of_jwks(jwks, JwksOrigin::file, std::nullopt, &weak);
  ASSERT_TRUE(keys) << keys.error();
  EXPECT_EQ(keys->size(), 1U);
  EXPECT_THAT(weak, testing::ElementsAre(
                        "kid old? is left out: an RSA key of 1024 bits; it needs 2048 to 8192",
                        testing::StartsWith("a key without kid is left out: a secret of 5 bytes")));
  const auto none = load("{\"keys\":[" + weak_key + "]}");
  ASSERT_FALSE(none);
  EXPECT_THAT(none.error(), HasSubstr("an RSA key of 1024 bits"));
}

TEST(KeyDocuments, APointIsOnItsCurve) {
  const std::string zero = base64url_encode(std::string(31, '\0') + '\x02');
  EXPECT_FALSE(
      load(R"({"keys":[{"kty":"EC","crv":"P-256","x":")" + zero + R"(","y":")" + zero + "\"}]}"));
}

TEST(KeyDocuments, AnRsaExponentIsNotOne) {
  const TokenMaker rsa(Algorithm::rs256);
  std::string jwk = rsa.jwk();
  for (const std::string_view e : {"AQ", "AA", "Ag", "AQAAAAAAAAAAAQ"}) {
    std::string bad = jwk;
    bad.replace(bad.find(R"("e":"AQAB")"), 10, R"("e":")" + std::string(e) + '"');
    EXPECT_FALSE(load("{\"keys\":[" + bad + "]}")) << e;
  }
}

TEST(KeyDocuments, SecretsComeOnlyFromFiles) {
  const TokenMaker secret(Algorithm::hs256);
  const TokenMaker ec(Algorithm::es256);
  EXPECT_TRUE(load(jwks_of({&secret, &ec})));
  const auto fetched = load(jwks_of({&secret, &ec}), JwksOrigin::fetched);
  ASSERT_FALSE(fetched);
  EXPECT_THAT(fetched.error(), HasSubstr("oct"));
  EXPECT_TRUE(load(jwks_of({&ec}), JwksOrigin::fetched));
}

TEST(KeyDocuments, AJwksIsStrict) {
  const std::string jwk = TokenMaker(Algorithm::es256).jwk();
  for (const std::string& bad :
       std::vector<std::string>{"", "[]", "{}", "{\"keys\":{}}", "{\"keys\":[]}", "{\"keys\":[1]}",
                                "{\"keys\":[" + jwk + "],\"keys\":[]}",
                                "{\"keys\":[{\"kty\":\"oct\"," + jwk.substr(1) + "]}",
                                "{\"keys\":[{\"d\":\"AA\"," + jwk.substr(1) + "]}", jwk,
                                std::string(kMaxKeyDocument + 1, ' ')}) {
    EXPECT_FALSE(load(bad)) << bad.substr(0, 100);
  }
  std::string many;
  for (std::size_t i = 0; i <= kMaxKeysOfDocument; ++i) many += (i == 0 ? "" : ",") + jwk;
  EXPECT_FALSE(load("{\"keys\":[" + many + "]}"));
}

// Nothing of a secret is in what is said about it.
TEST(KeyDocuments, SecretsAreNotRepeated) {
  const auto short_secret = keys_of_secret("hidden", std::nullopt, "");
  ASSERT_FALSE(short_secret);
  EXPECT_THAT(short_secret.error(), Not(HasSubstr("hidden")));
}

}  // namespace
}  // namespace tocsin::net
