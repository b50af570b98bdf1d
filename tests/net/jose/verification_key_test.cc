#include "net/jose/verification_key.h"

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>

#include <memory>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "net/jose/base64url.h"
#include "net/jose/key_documents.h"
#include "tests/net/support/token_maker.h"

namespace tocsin::net {
namespace {

using testing::HasSubstr;

constexpr Algorithm kAll[] = {
    Algorithm::hs256, Algorithm::hs384, Algorithm::hs512, Algorithm::rs256, Algorithm::rs384,
    Algorithm::rs512, Algorithm::ps256, Algorithm::ps384, Algorithm::ps512, Algorithm::es256,
    Algorithm::es384, Algorithm::es512, Algorithm::eddsa};

TEST(VerificationKey, AlgorithmsHaveTheirNames) {
  for (const Algorithm algorithm : kAll) EXPECT_EQ(algorithm_of(name_of(algorithm)), algorithm);
  EXPECT_EQ(algorithm_of("none"), std::nullopt);
  EXPECT_EQ(algorithm_of(""), std::nullopt);
}

class EveryAlgorithm : public testing::TestWithParam<Algorithm> {};
INSTANTIATE_TEST_SUITE_P(All, EveryAlgorithm, testing::ValuesIn(kAll),
                         [](const auto& test) { return std::string(name_of(test.param)); });

TEST_P(EveryAlgorithm, TakesItsSignatureAndNoOther) {
  const TokenMaker maker(GetParam());
  const VerificationKey key = maker.key();
  const std::string good = maker.sign("message");
  EXPECT_TRUE(key.verify("message", good));
  EXPECT_FALSE(key.verify("messagf", good));
  EXPECT_FALSE(key.verify("", good));
  EXPECT_FALSE(key.verify("message", ""));
  EXPECT_FALSE(key.verify("message", good + '\0'));
  EXPECT_FALSE(key.verify("message", '\0' + good));
  EXPECT_FALSE(key.verify("message", good.substr(0, good.size() - 1)));
  EXPECT_FALSE(key.verify("message", std::string(good.size(), '\0')));
  for (const std::size_t at : {std::size_t{0}, good.size() / 2, good.size() - 1}) {
    std::string bad = good;
    bad[at] = static_cast<char>(bad[at] ^ 1);
    EXPECT_FALSE(key.verify("message", bad)) << at;
  }
  EXPECT_FALSE(TokenMaker(GetParam()).key().verify("message", good)) << "another key";
}

// Both numbers 0, or both 1: signatures that were once good for any message (CVE-2022-21449). And
// DER, which is for others.
TEST(VerificationKey, NumbersAreNeitherMadeUpNorInDer) {
  for (const Algorithm algorithm : {Algorithm::es256, Algorithm::es384, Algorithm::es512}) {
    const TokenMaker maker(algorithm);
    const std::size_t size = maker.sign("m").size();
    EXPECT_FALSE(maker.key().verify("m", std::string(size, '\0')));
    std::string ones(size, '\0');
    ones[size / 2 - 1] = ones[size - 1] = 1;
    EXPECT_FALSE(maker.key().verify("m", ones));
    EXPECT_FALSE(maker.key().verify("m", std::string("\x30\x06\x02\x01\x01\x02\x01\x01", 8)));
  }
}

std::string payload_of_7515() {
  return "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0"
         "cnVlfQ";
}
bool verifies(const VerificationKey& key, std::string_view message, std::string_view signature) {
  return key.verify(message, base64url_decode(signature).value());
}

// RFC 7515, A.1
TEST(VerificationKey, TakesTheHmacOfTheStandard) {
  const auto keys = keys_of_jwks(
      R"({"keys":[{"kty":"oct","k":"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Y)"
      R"(j0iPS4hcgUuTwjAzZr1Z9CAow"}]})",
      JwksOrigin::file, std::nullopt);
  ASSERT_TRUE(keys) << keys.error();
  EXPECT_TRUE(verifies(keys->front(),
                       "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9." + payload_of_7515(),
                       "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"));
}

// RFC 7515, A.3
TEST(VerificationKey, TakesTheEcdsaOfTheStandard) {
  const auto keys = keys_of_jwks(
      R"({"keys":[{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",)"
      R"("y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]})",
      JwksOrigin::file, std::nullopt);
  ASSERT_TRUE(keys) << keys.error();
  EXPECT_TRUE(verifies(keys->front(), "eyJhbGciOiJFUzI1NiJ9." + payload_of_7515(),
                       "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJ"
                       "qPP3-Kg6NU1Q"));
}

// RFC 8037, A.4
TEST(VerificationKey, TakesTheEdDsaOfTheStandard) {
  const auto keys = keys_of_jwks(R"({"keys":[{"kty":"OKP","crv":"Ed25519",)"
                                 R"("x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]})",
                                 JwksOrigin::file, std::nullopt);
  ASSERT_TRUE(keys) << keys.error();
  EXPECT_TRUE(verifies(keys->front(), "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc",
                       "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVv"
                       "pAr_MuM0KAg"));
}

TEST(VerificationKey, ASecretIsAsLongAsItsHash) {
  const std::vector<std::pair<Algorithm, std::size_t>> sizes = {
      {Algorithm::hs256, 32}, {Algorithm::hs384, 48}, {Algorithm::hs512, 64}};
  for (const auto& [algorithm, size] : sizes) {
    EXPECT_TRUE(VerificationKey::from_secret(algorithm, std::string(size, 's'), ""));
    const auto shorter = VerificationKey::from_secret(algorithm, std::string(size - 1, 's'), "");
    ASSERT_FALSE(shorter);
    EXPECT_THAT(shorter.error(), HasSubstr("needs at least " + std::to_string(size)));
  }
}

std::shared_ptr<EVP_PKEY> owned(EVP_PKEY* key) {
  return {key, EVP_PKEY_free};
}

TEST(VerificationKey, AnAlgorithmBelongsToAKey) {
  const auto rsa = owned(EVP_RSA_gen(2048));
  const auto ec = owned(EVP_EC_gen("P-256"));
  const auto ed = owned(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"));
  const auto fits = [](Algorithm algorithm, const auto& key) {
    return VerificationKey::from_public_key(algorithm, key, "").has_value();
  };
  EXPECT_TRUE(fits(Algorithm::rs512, rsa));
  EXPECT_TRUE(fits(Algorithm::ps256, rsa));
  EXPECT_TRUE(fits(Algorithm::es256, ec));
  EXPECT_TRUE(fits(Algorithm::eddsa, ed));
  for (const Algorithm algorithm : {Algorithm::hs256, Algorithm::es256, Algorithm::eddsa}) {
    EXPECT_FALSE(fits(algorithm, rsa));
  }
  for (const Algorithm algorithm : {Algorithm::hs256, Algorithm::rs256, Algorithm::es384}) {
    EXPECT_FALSE(fits(algorithm, ec));
  }
  EXPECT_FALSE(fits(Algorithm::es256, ed));
  EXPECT_FALSE(VerificationKey::from_secret(Algorithm::rs256, std::string(64, 's'), ""));
}

TEST(VerificationKey, RsaHasEnoughBits) {
  const auto small =
      VerificationKey::from_public_key(Algorithm::rs256, owned(EVP_RSA_gen(1024)), "");
  ASSERT_FALSE(small);
  EXPECT_THAT(small.error(), HasSubstr("1024 bits"));
}

}  // namespace
}  // namespace tocsin::net
