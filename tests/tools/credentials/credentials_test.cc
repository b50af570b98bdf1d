// What the commands key, url and token make is what a hub with the same keys takes.
#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/net/support/test_access.h"
#include "tests/net/support/token_maker.h"
#include "tests/net/support/temporary_folder.h"
#include "tools/credentials/key_command.h"
#include "tools/credentials/token_command.h"
#include "tools/credentials/token_signer.h"
#include "tools/credentials/url_command.h"
#include "tools/serve/options.h"

namespace tocsin::tools {
namespace {

using net::Algorithm;
using net::TokenMaker;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

constexpr std::int64_t kNow = 1'900'000'000;

AuthConfigurationPtr hub(const std::string& file) {
  const auto configuration = read_configuration(file);
  EXPECT_TRUE(configuration) << configuration.error();
  return configuration ? configuration->auth : nullptr;
}

TEST(KeyCommand, TheTableIsReadAndTheKeyIsGood) {
  const TemporaryFolder folder;
  const net::Secret key = net::make_access_key();
  const std::string table = key_table("shop", key.view(), false);
  EXPECT_THAT(table, Not(HasSubstr(key.view())));
  const auto auth = hub(folder.write("f.toml", table));
  const auto known = auth->access->authority->check(key.view(), kNow);
  ASSERT_TRUE(known);
  EXPECT_EQ((*known)->subject, "shop");
  EXPECT_TRUE((*known)->may_publish("a"));
  EXPECT_FALSE((*known)->may_subscribe("a"));
  EXPECT_FALSE((*known)->admin);
  const auto other = hub(folder.write("f.toml", key_table("operator", key.view(), true)));
  const auto admin = other->access->authority->check(key.view(), kNow);
  ASSERT_TRUE(admin);
  EXPECT_TRUE((*admin)->admin);
  EXPECT_TRUE((*admin)->publish.empty() && (*admin)->subscribe.empty());
}

class UrlCommand : public testing::Test {
 protected:
  UrlCommand() {
    secret_ = folder_.write("secret", std::string(net::kTestSecret) + "\n");
    config_ = folder_.write("f.toml", "[[auth.url_keys]]\nid = \"a\"\nfile = \"secret\"\n");
  }
  [[nodiscard]] std::expected<net::PrincipalPtr, net::Denial> ask(std::string_view method,
                                                                  const std::string& url) const {
    const std::size_t at = url.find('?');
    return hub(config_)->access->authority->check_url(method, url.substr(0, at),
                                                      url.substr(at + 1), kNow);
  }

  const TemporaryFolder folder_;
  std::string secret_;
  std::string config_;
};

TEST_F(UrlCommand, AUrlIsGoodAtTheHubThatHasTheKey) {
  const auto url = sign_url(
      {.config = config_, .key_id = "a", .topics = {"chat/1", "b"}, .subject = "u1"}, kNow);
  ASSERT_TRUE(url) << url.error();
  const auto known = ask("GET", *url);
  ASSERT_TRUE(known) << known.error().reason;
  EXPECT_EQ((*known)->subject, "u1");
  EXPECT_EQ((*known)->expires_at_s, kNow + 3600);
  EXPECT_TRUE((*known)->may_subscribe("chat/1") && (*known)->may_subscribe("b"));
  EXPECT_FALSE(ask("POST", *url));
}

TEST_F(UrlCommand, TheSecretAloneIsEnough) {
  const auto url = sign_url({.secret_file = secret_,
                             .key_id = "a",
                             .base = "http://h:1/",
                             .topics = {"a"},
                             .publish = true},
                            kNow);
  ASSERT_TRUE(url) << url.error();
  ASSERT_TRUE(url->starts_with("http://h:1/publish?")) << "one / and not two";
  EXPECT_TRUE(ask("POST", url->substr(10)));
}

TEST_F(UrlCommand, WhatIsWrongIsSaid) {
  const auto fault = [](const UrlOptions& options) {
    const auto url = sign_url(options, kNow);
    return url ? "signed" : url.error();
  };
  EXPECT_THAT(fault({.topics = {"a"}}), HasSubstr("one of --config and --secret-file"));
  EXPECT_THAT(fault({.config = config_, .topics = {"a"}}), HasSubstr("say which with --kid"));
  EXPECT_THAT(fault({.config = config_, .key_id = "b", .topics = {"a"}}), HasSubstr("id = \"b\""));
  EXPECT_THAT(fault({.secret_file = secret_, .topics = {"a", "a"}}), HasSubstr("twice"));
  EXPECT_THAT(fault({.secret_file = secret_, .topics = {""}}), HasSubstr("no topic's name"));
  EXPECT_THAT(fault({.secret_file = secret_, .topics = {"a"}, .expires_in = "0s"}),
              HasSubstr("--expires-in"));
  EXPECT_THAT(fault({.secret_file = folder_.write("short", "secret"), .topics = {"a"}}),
              AllOf(HasSubstr("short: "), HasSubstr("at least 32")));
}

std::expected<std::string, std::string> mint_one(const MintOptions& options, std::int64_t now_s) {
  auto tokens = mint_tokens(options, now_s);
  if (!tokens) return std::unexpected(std::move(tokens.error()));
  EXPECT_EQ(tokens->size(), 1U);
  return std::move(tokens->front());
}

// Each kind of key signs what the library's verification takes.
TEST(TokenSigner, SignsWithEveryKindOfKey) {
  for (const auto algorithm :
       {Algorithm::hs256, Algorithm::hs384, Algorithm::hs512, Algorithm::rs256, Algorithm::ps384,
        Algorithm::es256, Algorithm::es384, Algorithm::es512, Algorithm::eddsa}) {
    const TokenMaker maker(algorithm);
    const auto signer = net::is_symmetric(algorithm)
                            ? TokenSigner::from_secret(maker.secret(), algorithm)
                            : TokenSigner::from_pem(maker.private_pem(), algorithm);
    ASSERT_TRUE(signer) << signer.error();
    const std::string token = signer->token("k", "{}");
    const std::size_t dot = token.rfind('.');
    EXPECT_TRUE(maker.key().verify(token.substr(0, dot),
                                   net::base64url_decode(token.substr(dot + 1)).value()))
        << net::name_of(algorithm);
  }
}

TEST(TokenSigner, TheUsualAlgorithmFollowsFromTheKey) {
  for (const auto algorithm :
       {Algorithm::rs256, Algorithm::es256, Algorithm::es384, Algorithm::es512, Algorithm::eddsa}) {
    const auto signer = TokenSigner::from_pem(TokenMaker(algorithm).private_pem(), {});
    ASSERT_TRUE(signer) << signer.error();
    EXPECT_EQ(signer->algorithm(), algorithm);
  }
  EXPECT_FALSE(TokenSigner::from_pem(TokenMaker(Algorithm::es256).public_pem(), {}));
  EXPECT_FALSE(TokenSigner::from_pem(TokenMaker(Algorithm::es256).private_pem(), Algorithm::rs256));
  EXPECT_FALSE(TokenSigner::from_secret("short", Algorithm::hs256));
}

class TokenCommand : public testing::Test {
 protected:
  TokenCommand() {
    folder_.write("secret", net::kTestSecret);
    folder_.write("public.pem", maker_.public_pem());
    private_ = folder_.write("private.pem", maker_.private_pem());
    config_ = folder_.write(
        "f.toml",
        "[[auth.issuers]]\niss = \"ec\"\nkeys = [{ pem_file = \"public.pem\" }]\n"
        "[[auth.issuers]]\niss = \"me\"\naudience = [\"hub\"]\nleeway = \"0s\"\n"
        "keys = [{ secret_file = \"secret\", kid = \"1\" }]\n");
  }

  const TemporaryFolder folder_;
  const TokenMaker maker_{Algorithm::es256};
  std::string private_;
  std::string config_;
};

TEST_F(TokenCommand, ATokenOfAConfiguredSecretIsTaken) {
  const auto token = mint_one(
      {.config = config_, .subject = "u\"1", .publish = {"a"}, .subscribe = {"b/*", "c"}}, kNow);
  ASSERT_TRUE(token) << token.error();
  const auto known = hub(config_)->access->authority->check(*token, kNow);
  ASSERT_TRUE(known) << known.error().reason;
  EXPECT_EQ((*known)->subject, "u\"1");
  EXPECT_TRUE((*known)->may_publish("a") && (*known)->may_subscribe("b/1"));
  EXPECT_FALSE((*known)->may_publish("b/1"));
  EXPECT_EQ((*known)->expires_at_s, kNow + 3600);
}

TEST_F(TokenCommand, ATokenOfAPrivateKeyIsTaken) {
  const auto token =
      mint_one({.pem_file = private_, .issuer = "ec", .subscribe = {"*"}}, kNow);
  ASSERT_TRUE(token) << token.error();
  const auto known = hub(config_)->access->authority->check(*token, kNow);
  ASSERT_TRUE(known) << known.error().reason;
}

TEST_F(TokenCommand, ManyAreDifferentAndAllAreTaken) {
  const auto tokens =
      mint_tokens({.config = config_, .subject = "u", .subscribe = {"a"}, .count = 3}, kNow);
  ASSERT_TRUE(tokens) << tokens.error();
  std::vector<std::string> subjects;
  for (const std::string& token : *tokens) {
    const auto known = hub(config_)->access->authority->check(token, kNow);
    ASSERT_TRUE(known) << known.error().reason;
    subjects.push_back((*known)->subject);
  }
  EXPECT_THAT(subjects, testing::ElementsAre("u-1", "u-2", "u-3"));
}

TEST_F(TokenCommand, WhatCannotBeMadeIsSaid) {
  const auto fault = [](const MintOptions& options) {
    const auto token = mint_one(options, kNow);
    return token ? "made" : token.error();
  };
  EXPECT_THAT(fault({}), HasSubstr("one of --config, --secret-file and --pem-file"));
  EXPECT_THAT(fault({.config = config_, .issuer = "ec"}), HasSubstr("no issuer ec with a secret"));
  EXPECT_THAT(fault({.config = config_, .subscribe = {"a/{"}}), HasSubstr("--subscribe: "));
  EXPECT_THAT(fault({.pem_file = private_, .algorithm = "none"}), HasSubstr("--algorithm"));
  EXPECT_THAT(fault({.pem_file = private_, .algorithm = "HS256"}), HasSubstr("private.pem: "));
  EXPECT_THAT(fault({.pem_file = private_, .expires_in = "soon"}), HasSubstr("--expires-in"));
}

TEST_F(TokenCommand, ExplainsClaimByClaim) {
  const auto auth = hub(config_);
  const std::string token =
      mint_one({.config = config_, .subject = "u1", .subscribe = {"a/*"}}, kNow).value();
  const Explanation good = explain_token(token, auth.get(), kNow + 60);
  EXPECT_TRUE(good.is_good);
  for (const std::string_view part :
       {"alg        HS256", "kid        1", "(an issuer of this hub)", "in 59 min", "60 s ago",
        "reads      a/*", "publishes  nothing", "the hub takes it as u1"}) {
    EXPECT_THAT(good.text, HasSubstr(part));
  }
  // The signature is as good as the token.
  EXPECT_THAT(good.text, Not(HasSubstr(token.substr(token.rfind('.') + 1))));
  const Explanation late = explain_token(token, auth.get(), kNow + 3640);
  EXPECT_FALSE(late.is_good);
  EXPECT_THAT(late.text, HasSubstr("the hub answers 401: the token expired 40 s ago"));
}

TEST_F(TokenCommand, ExplainsWhatComesOfItByTopic) {
  const std::string config = folder_.write(
      "topics.toml",
      "[[topics]]\nmatch = \"chat/*\"\npublish = \"nobody\"\n"
      "[[topics]]\nmatch = \"status\"\nsubscribe = \"open\"\npublish = \"token\"\n"
      "[[auth.issuers]]\niss = \"me\"\nkeys = [{ secret_file = \"secret\" }]\n");
  const auto configuration = read_configuration(config);
  ASSERT_TRUE(configuration) << configuration.error();
  const std::string token =
      mint_one({.config = config, .publish = {"*"}, .subscribe = {"chat/*"}}, kNow).value();
  const Explanation said =
      explain_token(token, configuration->auth.get(), kNow,
                    {.options = &configuration->options, .topics = {"chat/1", "status", "other"}});
  EXPECT_TRUE(said.is_good);
  for (const std::string_view part :
       {"chat/*     publishes: nobody; reads: as its rights say\n",
        "status     publishes: as its rights say; reads: everybody\n",
        "chat/1     publishes: no (topic chat/1: clients may not publish here); reads: yes\n",
        "status     publishes: yes; reads: yes\n",
        "other      publishes: yes; reads: no (the token may read chat/*, not other)\n"}) {
    EXPECT_THAT(said.text, HasSubstr(part));
  }
}

TEST_F(TokenCommand, ExplainsWithoutAHub) {
  const std::string token =
      mint_one({.pem_file = private_, .subscribe = {"a"}}, kNow).value();
  const Explanation content = explain_token(token, nullptr, kNow);
  EXPECT_TRUE(content.is_good);
  EXPECT_THAT(content.text, AllOf(HasSubstr("alg        ES256"), HasSubstr("was not looked at")));
  EXPECT_FALSE(explain_token("a.b.c", nullptr, kNow).is_good);
  EXPECT_THAT(explain_token("a.b.c", nullptr, kNow).text, HasSubstr("no good token: "));
}

TEST_F(TokenCommand, ExplainsWhoIsNotKnown) {
  const auto auth = hub(config_);
  const Explanation foreign =
      explain_token(net::make_token(R"({"iss":"x","exp":99999999999})"), auth.get(), kNow);
  EXPECT_FALSE(foreign.is_good);
  EXPECT_THAT(foreign.text, AllOf(HasSubstr("(no issuer of this hub)"),
                                  HasSubstr("the hub answers 401: the token's issuer x")));
  const net::Secret key = net::make_access_key();
  const Explanation unknown = explain_token(key.view(), auth.get(), kNow);
  EXPECT_THAT(unknown.text, AllOf(HasSubstr("an access key"), HasSubstr("answers 401"),
                                  Not(HasSubstr(key.view()))));
  const std::string garbage = explain_token("a.b.c", auth.get(), kNow).text;
  EXPECT_TRUE(garbage.starts_with("the hub answers 401: ")) << "and nothing twice: " << garbage;
}

}  // namespace
}  // namespace tocsin::tools
