#include "net/auth/token_verifier.h"

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "net/jose/key_documents.h"
#include "tests/net/support/token_maker.h"

namespace tocsin::net {
namespace {

using testing::HasSubstr;

constexpr std::int64_t kNow = 1'700'000'000;

Issuer issuer_of(std::string name, std::vector<VerificationKey> keys) {
  return {.name = std::move(name), .keys = std::move(keys)};
}
TokenVerifier verifier_of(Issuer issuer) {
  std::vector<Issuer> issuers;
  issuers.push_back(std::move(issuer));
  return TokenVerifier(std::move(issuers));
}
// Claims of a good token, and more.
std::string claims(std::string_view more = "") {
  return "{\"exp\":" + std::to_string(kNow + 60) + std::string(more.empty() ? "" : ",") +
         std::string(more) + "}";
}
std::string claims_at(std::string_view name, std::int64_t time_s) {
  return claims("\"" + std::string(name) + "\":" + std::to_string(time_s));
}

Denial denial_of(const TokenVerifier& verifier, std::string_view token, std::int64_t now_s = kNow) {
  const auto verified = verifier.verify(token, now_s);
  EXPECT_FALSE(verified) << token;
  if (verified) return {};
  EXPECT_TRUE(is_showable_reason(verified.error().reason)) << verified.error().reason;
  return verified.error();
}

class AnyAlgorithm : public testing::TestWithParam<Algorithm> {};
INSTANTIATE_TEST_SUITE_P(All, AnyAlgorithm,
                         testing::Values(Algorithm::hs256, Algorithm::hs384, Algorithm::hs512,
                                         Algorithm::rs256, Algorithm::ps512, Algorithm::es256,
                                         Algorithm::es384, Algorithm::es512, Algorithm::eddsa),
                         [](const auto& test) { return std::string(name_of(test.param)); });

TEST_P(AnyAlgorithm, ATokenBecomesAPrincipal) {
  const TokenMaker maker(GetParam(), "k1");
  const TokenVerifier verifier = verifier_of(issuer_of("", {maker.key()}));
  const std::string token = maker.token(
      claims(R"("sub":"u1","tocsin":{"publish":["chat/1"],"subscribe":["user/u1/*"]})"));
  const auto principal = verifier.verify(token, kNow);
  ASSERT_TRUE(principal) << principal.error().reason;
  EXPECT_EQ((*principal)->kind, CredentialKind::token);
  EXPECT_EQ((*principal)->subject, "u1");
  EXPECT_TRUE((*principal)->may_publish("chat/1"));
  EXPECT_TRUE((*principal)->may_subscribe("user/u1/mail"));
  EXPECT_FALSE((*principal)->may_subscribe("user/u2/mail"));
  EXPECT_FALSE((*principal)->admin);
  EXPECT_EQ((*principal)->expires_at_s, kNow + 60 + 30) << "leeway included";

  std::string changed = token;
  changed[token.find('.') + 5] = changed[token.find('.') + 5] == 'A' ? 'B' : 'A';
  EXPECT_FALSE(verifier.verify(changed, kNow));
}

// What a principal came by is there as long as the same token would be taken.
TEST(TokenVerifier, KnowsAgainHowATokenWasGood) {
  const TokenMaker named(Algorithm::rs256, "a");
  const auto source_of = [](const TokenVerifier& verifier, const std::string& token) {
    return verifier.verify(token, kNow).value()->source;
  };
  const auto rsa = [&](Algorithm algorithm, std::string id) {
    auto keys = keys_of_pem(named.public_pem(), algorithm, std::move(id)).value();
    return verifier_of(issuer_of("", std::move(keys)));
  };
  const auto verifier = rsa(Algorithm::rs256, "a");
  const std::uint64_t source = source_of(verifier, named.token(claims()));
  EXPECT_TRUE(verifier.has_source(source));
  EXPECT_TRUE(rsa(Algorithm::rs256, "a").has_source(source));
  EXPECT_FALSE(rsa(Algorithm::ps256, "a").has_source(source)) << "another algorithm of its key";
  EXPECT_FALSE(rsa(Algorithm::rs256, "b").has_source(source)) << "its kid is none any more";
  EXPECT_FALSE(rsa(Algorithm::rs256, "").has_source(source)) << "found in another way";

  // Tokens of an issuer that has no table, until it has one.
  std::vector<Issuer> issuers;
  issuers.push_back(issuer_of("", {named.key()}));
  const TokenVerifier one(issuers);
  const std::uint64_t of_any = source_of(one, named.token(claims("\"iss\":\"id\"")));
  issuers.push_back(issuer_of("id", {TokenMaker(Algorithm::es256).key()}));
  const TokenVerifier two(issuers);
  EXPECT_TRUE(one.has_source(of_any));
  EXPECT_FALSE(two.has_source(of_any));

  // A kid that is no key's, until it is one's.
  const TokenMaker nameless(Algorithm::es256);
  const std::string token = TokenMaker(nameless).token_with(
      R"({"alg":"ES256","kid":"x"})", claims());
  const auto some = verifier_of(issuer_of("", {nameless.key()}));
  const std::uint64_t of_no_id = source_of(some, token);
  EXPECT_TRUE(some.has_source(of_no_id));
  EXPECT_FALSE(verifier_of(issuer_of("", {nameless.key(), TokenMaker(Algorithm::es256, "x").key()}))
                   .has_source(of_no_id));
}

TEST(TokenVerifier, SaysWhenATokenExpired) {
  const TokenMaker maker(Algorithm::hs256);
  Issuer issuer = issuer_of("", {maker.key()});
  issuer.leeway_s = 30;
  const TokenVerifier verifier = verifier_of(std::move(issuer));
  const std::string token = maker.token(claims());
  EXPECT_TRUE(verifier.verify(token, kNow + 60)) << "within the leeway";
  EXPECT_TRUE(verifier.verify(token, kNow + 89));
  const Denial denial = denial_of(verifier, token, kNow + 100);
  EXPECT_EQ(denial.cause, DenialCause::expired);
  EXPECT_EQ(denial.reason, "the token expired 40 s ago");
  EXPECT_EQ(denial_of(verifier, token, kNow + 90).cause, DenialCause::expired);
}

TEST(TokenVerifier, WithoutLeewayASecondCounts) {
  const TokenMaker maker(Algorithm::hs256);
  Issuer issuer = issuer_of("", {maker.key()});
  issuer.leeway_s = 0;
  const TokenVerifier verifier = verifier_of(std::move(issuer));
  EXPECT_TRUE(verifier.verify(maker.token(claims()), kNow + 59));
  EXPECT_EQ(denial_of(verifier, maker.token(claims()), kNow + 60).cause, DenialCause::expired);
  EXPECT_TRUE(verifier.verify(maker.token(claims_at("nbf", kNow)), kNow));
  EXPECT_EQ(denial_of(verifier, maker.token(claims_at("nbf", kNow + 1))).cause,
            DenialCause::not_yet_valid);
  EXPECT_EQ(denial_of(verifier, maker.token(claims_at("iat", kNow + 1))).cause,
            DenialCause::not_yet_valid);
}

TEST(TokenVerifier, ATokenIsNotFromTheFuture) {
  const TokenMaker maker(Algorithm::hs256);
  const TokenVerifier verifier = verifier_of(issuer_of("", {maker.key()}));
  EXPECT_TRUE(verifier.verify(maker.token(claims_at("nbf", kNow + 30)), kNow));
  EXPECT_THAT(denial_of(verifier, maker.token(claims_at("nbf", kNow + 90))).reason,
              HasSubstr("in 90 s"));
  EXPECT_THAT(denial_of(verifier, maker.token(claims_at("iat", kNow + 31))).reason,
              HasSubstr("a clock is wrong"));
}

TEST(TokenVerifier, AnEndMayBeDemanded) {
  const TokenMaker maker(Algorithm::hs256);
  Issuer issuer = issuer_of("", {maker.key()});
  EXPECT_THAT(denial_of(verifier_of(issuer), maker.token("{}")).reason, HasSubstr("no exp"));
  issuer.require_expiry = false;
  const auto principal = verifier_of(issuer).verify(maker.token("{}"), kNow);
  ASSERT_TRUE(principal);
  EXPECT_EQ((*principal)->expires_at_s, std::nullopt);
}

TEST(TokenVerifier, ATokenIsForThisHub) {
  const TokenMaker maker(Algorithm::hs256);
  Issuer issuer = issuer_of("", {maker.key()});
  const TokenVerifier without = verifier_of(issuer);
  EXPECT_TRUE(without.verify(maker.token(claims()), kNow));
  EXPECT_THAT(denial_of(without, maker.token(claims(R"("aud":"https://other")"))).reason,
              HasSubstr("no audience is configured"));
  issuer.audiences = {"https://hub", "hub"};
  const TokenVerifier with = verifier_of(issuer);
  EXPECT_TRUE(with.verify(maker.token(claims(R"("aud":"hub")")), kNow));
  EXPECT_TRUE(with.verify(maker.token(claims(R"("aud":["x","https://hub"])")), kNow));
  for (const std::string_view bad : {R"("aud":"https://hub/")", R"("aud":["HUB"])", R"("aud":[])",
                                     R"("sub":"no aud")", R"("aud":"")"}) {
    EXPECT_EQ(denial_of(with, maker.token(claims(bad))).cause, DenialCause::audience) << bad;
  }
  EXPECT_EQ(denial_of(with, maker.token(claims(R"("aud":"https://other")"))).reason,
            "the token is for https://other, not for https://hub");
}

TEST(TokenVerifier, EachIssuerHasItsKeys) {
  const TokenMaker a(Algorithm::es256, "1");
  const TokenMaker b(Algorithm::es256, "1");
  const TokenMaker rest(Algorithm::hs256);
  const TokenVerifier verifier(
      {issuer_of("https://a", {a.key()}), issuer_of("https://b", {b.key()})});
  EXPECT_TRUE(verifier.verify(a.token(claims(R"("iss":"https://a")")), kNow));
  EXPECT_TRUE(verifier.verify(b.token(claims(R"("iss":"https://b")")), kNow));
  EXPECT_EQ(denial_of(verifier, b.token(claims(R"("iss":"https://a")"))).cause,
            DenialCause::signature)
      << "of another issuer with the same kid";
  EXPECT_EQ(denial_of(verifier, a.token(claims(R"("iss":"https://c")"))).cause,
            DenialCause::issuer);
  EXPECT_EQ(denial_of(verifier, a.token(claims())).cause, DenialCause::issuer);
  EXPECT_EQ(denial_of(verifier, a.token(claims(R"("iss":"https://a/")"))).cause,
            DenialCause::issuer);

  const TokenVerifier with_rest({issuer_of("https://a", {a.key()}), issuer_of("", {rest.key()})});
  EXPECT_TRUE(with_rest.verify(rest.token(claims()), kNow));
  EXPECT_TRUE(with_rest.verify(rest.token(claims(R"("iss":"https://c")")), kNow));
  EXPECT_FALSE(with_rest.verify(rest.token(claims(R"("iss":"https://a")")), kNow));
}

TEST(TokenVerifier, KeysAreRotated) {
  const TokenMaker old_key(Algorithm::es256, "2023");
  const TokenMaker new_key(Algorithm::es256, "2024");
  const TokenMaker gone(Algorithm::es256, "2022");
  const TokenVerifier verifier = verifier_of(issuer_of("", {old_key.key(), new_key.key()}));
  EXPECT_TRUE(verifier.verify(old_key.token(claims()), kNow));
  EXPECT_TRUE(verifier.verify(new_key.token(claims()), kNow));
  const Denial denial = denial_of(verifier, gone.token(claims()));
  EXPECT_EQ(denial.cause, DenialCause::unknown_key);
  EXPECT_EQ(denial.reason, "kid 2022 is none of its issuer's keys");
}

TEST(TokenVerifier, AKeyNeedsNoName) {
  const TokenMaker named(Algorithm::hs256, "x");
  const VerificationKey unnamed =
      VerificationKey::from_secret(Algorithm::hs256, named.secret(), "").value();
  EXPECT_TRUE(verifier_of(issuer_of("", {unnamed})).verify(named.token(claims()), kNow))
      << "a kid that nobody has written down";
  const std::string token = named.token_with(R"({"alg":"HS256"})", claims());
  EXPECT_TRUE(verifier_of(issuer_of("", {named.key()})).verify(token, kNow)) << "no kid";
}

TEST(TokenVerifier, WithoutANameFewKeysAreTried) {
  std::vector<TokenMaker> makers;
  std::vector<VerificationKey> keys;
  for (std::size_t i = 0; i <= TokenVerifier::kMaxTries; ++i) {
    makers.emplace_back(Algorithm::hs256, std::to_string(i));
    keys.push_back(makers.back().key());
  }
  const std::string token = makers.back().token_with(R"({"alg":"HS256"})", claims());
  EXPECT_EQ(denial_of(verifier_of(issuer_of("", keys)), token).cause, DenialCause::unknown_key);
  keys.erase(keys.begin());
  EXPECT_TRUE(verifier_of(issuer_of("", keys)).verify(token, kNow));
}

}  // namespace
}  // namespace tocsin::net
