#include "net/auth/authority.h"

#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "tests/net/support/token_maker.h"

namespace tocsin::net {
namespace {

constexpr std::int64_t kNow = 1'700'000'000;
constexpr std::string_view kClaims = R"({"exp":1700000060,"sub":"u1","tocsin":{"publish":["a"]}})";

Issuer issuer_of(const TokenMaker& maker) {
  return {.name = "", .keys = {maker.key()}};
}
AuthoritySettings settings_of(const TokenMaker& maker) {
  AuthoritySettings settings;
  settings.issuers.push_back(issuer_of(maker));
  return settings;
}

TEST(Authority, TellsKeysFromTokens) {
  const TokenMaker maker(Algorithm::hs256);
  const Secret key = make_access_key();
  AuthoritySettings settings = settings_of(maker);
  ASSERT_TRUE(settings.keys.add(
      key.view(), std::make_shared<const Principal>(Principal{.kind = CredentialKind::key,
                                                              .subject = "back end",
                                                              .publish = Selectors::all(),
                                                              .admin = true})));
  const Authority authority(std::move(settings));
  EXPECT_EQ(authority.check(key.view(), kNow).value()->subject, "back end");
  EXPECT_EQ(authority.check(maker.token(kClaims), kNow).value()->subject, "u1");
  EXPECT_EQ(authority.check("neither", kNow).error().cause, DenialCause::malformed);
  EXPECT_EQ(authority.check("", kNow).error().cause, DenialCause::malformed);
  EXPECT_EQ(authority.check(make_access_key().view(), kNow).error().cause,
            DenialCause::unknown_key);
}

TEST(Authority, AKeyMayExpire) {
  const Secret key = make_access_key();
  AuthoritySettings settings;
  Principal principal{.kind = CredentialKind::key, .expires_at_s = kNow};
  ASSERT_TRUE(settings.keys.add(key.view(), std::make_shared<const Principal>(principal)));
  const Authority authority(std::move(settings));
  EXPECT_TRUE(authority.check(key.view(), kNow - 1));
  EXPECT_EQ(authority.check(key.view(), kNow + 7).error().reason, "the key expired 7 s ago");
}

TEST(Authority, VerifiesATokenOnce) {
  const TokenMaker maker(Algorithm::hs256);
  const Authority authority(settings_of(maker));
  const std::string token = maker.token(kClaims);
  const PrincipalPtr first = authority.check(token, kNow).value();
  EXPECT_EQ(authority.check(token, kNow + 80).value(), first);
  EXPECT_EQ(authority.check(token, kNow + 90).error().cause, DenialCause::expired);
  EXPECT_EQ(authority.check(token + "A", kNow).error().cause, DenialCause::signature);
}

TEST(Authority, NoTokenOutlivesItsKeys) {
  const TokenMaker maker(Algorithm::hs256);
  const std::string token = maker.token(kClaims);
  const Authority before(settings_of(maker));
  ASSERT_TRUE(before.check(token, kNow));
  const Authority after(settings_of(TokenMaker(Algorithm::hs256)));
  EXPECT_EQ(after.check(token, kNow).error().cause, DenialCause::signature);
}

TEST(Authority, NobodyMayReadWhatIsNamed) {
  const auto none = Authority(AuthoritySettings{}).check_nobody();
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().cause, DenialCause::no_credential);
  EXPECT_TRUE(is_showable_reason(none.error().reason));
  AuthoritySettings settings;
  ASSERT_TRUE(settings.anonymous.add(SelectorForm::tocsin, "public/*"));
  const Authority some(std::move(settings));
  EXPECT_TRUE(some.check_nobody().value()->may_subscribe("public/1"));
  EXPECT_FALSE(some.check_nobody().value()->may_publish("public/1"));
}

TEST(Authority, KnowsSignedUrls) {
  AuthoritySettings settings;
  ASSERT_TRUE(settings.url_keys.add("", std::string(32, 's')));
  const std::string url =
      settings.url_keys.sign({.topics = {"news"}, .expires_at_s = kNow + 60}, "");
  const Authority authority(std::move(settings));
  const std::string_view query = std::string_view(url).substr(url.find('?') + 1);
  EXPECT_TRUE(authority.check_url("GET", "/events", query, kNow).value()->may_subscribe("news"));
  EXPECT_FALSE(authority.check_url("POST", "/events", query, kNow));
}

TEST(Authority, IsForSeveralThreads) {
  const TokenMaker maker(Algorithm::es256);
  AuthoritySettings settings = settings_of(maker);
  settings.cache_bytes = 4096;
  const Authority authority(std::move(settings));
  std::vector<std::string> tokens;
  for (int i = 0; i < 20; ++i) {
    tokens.push_back(maker.token("{\"exp\":1700000060,\"sub\":\"" + std::to_string(i) + "\"}"));
  }
  std::vector<int> good(4);
  {
    std::vector<std::jthread> threads;
    for (int& count : good) {
      threads.emplace_back([&] {
        for (std::size_t i = 0; i < tokens.size(); ++i) {
          const auto principal = authority.check(tokens[i], kNow);
          if (principal && (*principal)->subject == std::to_string(i)) ++count;
        }
      });
    }
  }
  EXPECT_EQ(good, std::vector<int>(4, 20));
}

}  // namespace
}  // namespace tocsin::net
