// [auth] of the configuration file: read, refused with line and name, printed and read again.
#include <ctime>
#include <expected>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/net/support/test_access.h"
#include "tests/net/support/temporary_folder.h"
#include "tools/auth/auth_configuration.h"
#include "tools/serve/options.h"
#include "tools/serve/start_warnings.h"

namespace tocsin::tools {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

constexpr std::string_view kPublicKey = R"(-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEFRFu+Eo1i6kYjvCh1mawYYFKo1ZX
tDMS87rCt1RcgDJrJWZxOELHVV+PyQuRs4t7cQfDE6vlUj2oBPEpj+oWpQ==
-----END PUBLIC KEY-----
)";

class AuthFile : public testing::Test {
 protected:
  void write(const std::string& name, std::string_view text, ::mode_t mode = 0600) const {
    folder_.write(name, text, mode);
  }
  // As of a file in the folder.
  [[nodiscard]] std::expected<Configuration, std::string> apply(std::string_view text) const {
    Configuration configuration;
    const std::string file = folder_.path("f.toml");
    const auto applied = apply_toml(configuration, text, file);
    if (!applied) return std::unexpected(applied.error());
    return configuration;
  }
  [[nodiscard]] AuthConfigurationPtr read(std::string_view text) const {
    const auto configuration = apply(text);
    EXPECT_TRUE(configuration) << configuration.error();
    return configuration ? configuration->auth : nullptr;
  }
  // Without the folder's name.
  [[nodiscard]] std::string fault(std::string_view text) const {
    const auto configuration = apply(text);
    if (configuration) return "accepted";
    std::string error = configuration.error();
    const std::string prefix = folder_.path("");
    for (std::size_t at = 0; (at = error.find(prefix)) != std::string::npos;) {
      error.erase(at, prefix.size());
    }
    return error;
  }

  const TemporaryFolder folder_;
  const std::string key_{net::make_access_key().view()};
};

TEST_F(AuthFile, WithoutItTheHubIsOpen) {
  EXPECT_EQ(read("retry = \"5s\"\n"), nullptr);
}

TEST_F(AuthFile, AKeyIsGoodForWhatItSays) {
  write("key", key_ + "\n");
  const std::string other(net::make_access_key().view());
  const auto auth = read(fmt::format(
      "[auth]\n[[auth.keys]]\nname = \"shop\"\nhash = \"{}\"\npublish = [\"shop/*\"]\n"
      "[[auth.keys]]\nname = \"all\"\nfile = \"key\"\nsubscribe = [\"*\"]\nadmin = true\n",
      net::access_key_hash(other)));
  ASSERT_NE(auth, nullptr);
  const auto now_s = std::time(nullptr);
  const auto shop = auth->access->authority->check(other, now_s);
  ASSERT_TRUE(shop) << shop.error().reason;
  EXPECT_EQ((*shop)->subject, "shop");
  EXPECT_TRUE((*shop)->may_publish("shop/1"));
  EXPECT_FALSE((*shop)->may_subscribe("shop/1"));
  EXPECT_FALSE((*shop)->admin);
  const auto all = auth->access->authority->check(key_, now_s);
  ASSERT_TRUE(all) << all.error().reason;
  EXPECT_TRUE((*all)->may_subscribe("x") && (*all)->admin && !(*all)->may_publish("x"));
}

TEST_F(AuthFile, AKeyMayExpire) {
  const auto with = [&](std::string_view expires) {
    return fmt::format("[[auth.keys]]\nname = \"a\"\nhash = \"{}\"\nexpires = {}\n",
                       net::access_key_hash(key_), expires);
  };
  const auto auth = read(with("2030-01-02T01:00:00+01:00"));
  ASSERT_NE(auth, nullptr);
  constexpr std::int64_t kEnd = 1'893'542'400;  // date -ud 2030-01-02 +%s
  EXPECT_TRUE(auth->access->authority->check(key_, kEnd - 1));
  EXPECT_FALSE(auth->access->authority->check(key_, kEnd));
  EXPECT_EQ(read(with("2030-01-02"))->access->authority->check(key_, kEnd).error().cause,
            net::DenialCause::expired);
  EXPECT_THAT(read(with("2020-01-01"))->warnings, ElementsAre("key a has expired"));
  EXPECT_THAT(fault(with("2030-01-02T01:00:00")), HasSubstr("f.toml:4: auth.keys.expires must be"));
  EXPECT_THAT(fault(with("2030")), HasSubstr("f.toml:4: auth.keys.expires must be a date"));
}

TEST_F(AuthFile, AnIssuersTokensAreGood) {
  write("secret", std::string(net::kTestSecret) + "\n");
  write("public.pem", kPublicKey, 0644);
  const auto auth = read(
      "[auth]\nanonymous = [\"news/*\"]\ncookie = \"session\"\nquery_token = false\n"
      "[[auth.issuers]]\niss = \"me\"\naudience = [\"hub\"]\nleeway = \"0s\"\n"
      "require_expiry = false\nkeys = [{ secret_file = \"secret\" }, { pem_file = \"public.pem\", "
      "kid = \"x\", algorithm = \"ES256\" }]\n");
  ASSERT_NE(auth, nullptr);
  EXPECT_THAT(auth->warnings, IsEmpty());
  EXPECT_EQ(auth->access->cookie, "session");
  EXPECT_FALSE(auth->access->query_token);
  EXPECT_TRUE((*auth->access->authority->check_nobody())->may_subscribe("news/1"));
  const auto good = auth->access->authority->check(
      net::make_token(R"({"iss":"me","aud":"hub","tocsin":{"subscribe":["a"]}})"), 1);
  ASSERT_TRUE(good) << good.error().reason;
  EXPECT_TRUE((*good)->may_subscribe("a"));
  ASSERT_EQ(auth->secrets.size(), 1U);
  EXPECT_EQ(auth->secrets[0].issuer, "me");
  EXPECT_EQ(auth->secrets[0].audience, "hub");
}

TEST_F(AuthFile, AUrlKeySigns) {
  write("url", net::kTestSecret);
  const auto auth = read("[[auth.url_keys]]\nid = \"a\"\nfile = \"url\"\n");
  ASSERT_NE(auth, nullptr);
  const std::string url =
      auth->url_keys.sign({.topics = {"chat/1"}, .expires_at_s = 2'000'000'000}, "a");
  const auto [path, query] = std::pair(url.substr(0, url.find('?')), url.substr(url.find('?') + 1));
  EXPECT_TRUE(auth->access->authority->check_url("GET", path, query, 1'000'000'000));
}

TEST_F(AuthFile, WhatIsWrongIsNamedWithLineAndKey) {
  EXPECT_EQ(fault("auth = 1\n"), "f.toml:1: auth must be a table: [auth]");
  EXPECT_EQ(fault("[auht]\n"), "f.toml:1: auht is not a known key; did you mean auth?");
  EXPECT_EQ(fault("[auth]\nanonymus = []\n"),
            "f.toml:2: auth.anonymus is not a known key; did you mean anonymous?");
  EXPECT_EQ(fault("[auth]\nanonymous = \"*\"\n"),
            "f.toml:2: auth.anonymous must be an array of strings");
  EXPECT_THAT(fault("[auth]\nanonymous = [\"a{\"]\n"), HasSubstr("f.toml:2: auth.anonymous 'a{'"));
  EXPECT_EQ(fault("[auth]\nquery_token = 1\n"), "f.toml:2: auth.query_token must be true or false");
  EXPECT_EQ(fault("[auth]\ncookie = \"a b\"\n"), "f.toml:2: auth.cookie is no name of a cookie");
  EXPECT_THAT(fault("[auth]\nrealm = '\"'\n"), HasSubstr("f.toml:2: auth.realm"));
  EXPECT_EQ(fault("[auth]\nkeys = [\"a\"]\n"), "f.toml:2: auth.keys must be tables: [[auth.keys]]");
}

TEST_F(AuthFile, KeysThatWillNotDoAreNamed) {
  const auto with = [&](std::string_view more) {
    return fault(fmt::format("[[auth.keys]]\nname = \"a\"\n{}\n", more));
  };
  EXPECT_EQ(with(""), "f.toml:1: auth.keys.hash or file must be there, one of them");
  EXPECT_EQ(with("hsh = \"\"\nfile = \"none\""),
            "f.toml:3: auth.keys.hsh is not a known key; did you mean hash?\n"
            "f.toml:4: auth.keys.file none cannot be read: No such file or directory");
  EXPECT_THAT(with("hash = \"sha256:12\""), HasSubstr("f.toml:3: auth.keys.hash will not do"));
  // The key itself does not come back out of the file that it should not stand in.
  EXPECT_THAT(with(fmt::format("hash = \"{}\"", key_)),
              AllOf(HasSubstr("f.toml:3: auth.keys.hash is a key itself"), Not(HasSubstr(key_))));
  const std::string hash = net::access_key_hash(key_);
  EXPECT_THAT(fault(fmt::format("[[auth.keys]]\nname = \"a\"\nhash = \"{0}\"\n"
                                "[[auth.keys]]\nname = \"b\"\nhash = \"{0}\"\n",
                                hash)),
              HasSubstr("f.toml:6: auth.keys.hash will not do: the key is there twice"));
  EXPECT_THAT(fault(fmt::format("[[auth.keys]]\nhash = \"{}\"\n", hash)),
              HasSubstr("f.toml:1: auth.keys.name must be"));
}

TEST_F(AuthFile, IssuersThatWillNotDoAreNamed) {
  write("secret", net::kTestSecret);
  write("short", "secret");
  write("public.pem", kPublicKey);
  const auto with = [&](std::string_view key) {
    return fault(fmt::format("[[auth.issuers]]\niss = \"a\"\nkeys = [{{ {} }}]\n", key));
  };
  EXPECT_EQ(with("secret_file = \"secret\""), "accepted");
  EXPECT_THAT(with("secret_file = \"short\""),
              AllOf(HasSubstr("f.toml:3: auth.issuers.keys.secret_file short: "),
                    Not(HasSubstr("'secret'"))));
  EXPECT_THAT(with("secret_file = \"public.pem\""), HasSubstr("PEM, which is no secret"));
  EXPECT_THAT(with("pem_file = \"secret\""), HasSubstr("pem_file secret: it has no key in PEM"));
  EXPECT_THAT(with("jwks_file = \"secret\""), HasSubstr("f.toml:3: auth.issuers.keys.jwks_file"));
  EXPECT_THAT(with("pem_file = \"public.pem\", algorithm = \"none\""),
              HasSubstr("f.toml:3: auth.issuers.keys.algorithm must be one of"));
  EXPECT_THAT(with("kid = \"a\""),
              HasSubstr("secret_file or pem_file, jwks_file or jwks_url must be "));
  EXPECT_THAT(fault("[[auth.issuers]]\niss = \"a\"\n"),
              HasSubstr("f.toml:1: auth.issuers.keys must name at least one key"));
  EXPECT_THAT(fault("[[auth.issuers]]\nleeway = \"1h\"\nkeys = [{ secret_file = \"secret\" }]\n"),
              HasSubstr("f.toml:2: auth.issuers.leeway must be a time"));
  EXPECT_THAT(fault("[[auth.issuers]]\nkeys = [{ secret_file = \"secret\" }]\n"
                    "[[auth.issuers]]\nkeys = [{ secret_file = \"secret\" }]\n"),
              HasSubstr("f.toml:3: auth.issuers.iss is missing from two issuers"));
}

TEST_F(AuthFile, KeysMayStandAtAUrl) {
  const auto auth = read(
      "[auth]\n[[auth.issuers]]\niss = \"id\"\naudience = [\"hub\"]\n"
      "keys = [{ jwks_url = \"https://id.example.com/jwks\", algorithm = \"PS256\" }]\n"
      "[[auth.issuers]]\niss = \"local\"\n"
      "keys = [{ jwks_url = \"http://127.0.0.1:8080/jwks\" }]\n");
  ASSERT_NE(auth, nullptr);
  const auto& sources = auth->plan->key_sources;
  ASSERT_EQ(sources.size(), 2U);
  EXPECT_EQ(sources[0].server.url.to_string(), "https://id.example.com/jwks");
  EXPECT_EQ(sources[0].algorithm, net::Algorithm::ps256);
  EXPECT_EQ(auth->plan->authority.issuers.at(0).key_source, sources[0].name());
  EXPECT_EQ(auth->plan->authority.issuers.at(1).key_source, sources[1].name());
  const auto with = [&](const std::string& keys) {
    return fault("[auth]\n[[auth.issuers]]\niss = \"id\"\nkeys = [" + keys + "]\n");
  };
  EXPECT_THAT(with("{ jwks_url = \"http://id.example.com/jwks\" }"),
              HasSubstr("http to another machine"));
  EXPECT_EQ(with("{ jwks_url = \"http://id.example.com/jwks\", allow_http = true }"), "accepted");
  EXPECT_THAT(with("{ jwks_url = \"jwks\" }"), HasSubstr("auth.issuers.keys.jwks_url 'jwks'"));
  EXPECT_THAT(with("{ jwks_url = \"https://a/\" }, { jwks_url = \"https://b/\" }"),
              HasSubstr("an issuer has one URL of keys"));
  EXPECT_THAT(with("{ jwks_url = \"https://a/\", kid = \"1\" }"), HasSubstr("in the JWKS itself"));
  EXPECT_THAT(with("{ jwks_url = \"https://a/\", jwks_file = \"b\" }"), HasSubstr("one of them"));
  EXPECT_THAT(with("{ jwks_url = \"https://a/\", ca_file = \"none.pem\" }"), HasSubstr("none.pem"));
  EXPECT_THAT(with("{ jwks_url = \"https://a/\", cafile = \"x\" }"), HasSubstr("not a known key"));
}

TEST_F(AuthFile, AWebhookKnowsTheOthers) {
  const auto auth = read("[auth]\n[auth.webhook]\nurl = \"http://127.0.0.1:3000/may-they\"\n");
  ASSERT_NE(auth, nullptr);
  ASSERT_TRUE(auth->plan->back_end);
  EXPECT_EQ(auth->plan->back_end->timeout_ms, 5000U);
  EXPECT_EQ(auth->plan->back_end->at_once, 16U);
  EXPECT_EQ(auth->plan->back_end->cache_s, 60U);
  ASSERT_EQ(auth->plan->access.passed_fields.size(), 2U);
  EXPECT_EQ(auth->plan->access.passed_fields[0].name, "Authorization");
  EXPECT_EQ(auth->plan->access.passed_fields[1].name, "Cookie");
  EXPECT_THAT(auth->toml, HasSubstr("pass_headers = [ 'authorization', 'cookie' ]"));
  const auto with = [&](const std::string& lines) {
    return fault("[auth]\n[auth.webhook]\nurl = \"https://a.example/\"\n" + lines);
  };
  EXPECT_EQ(with("timeout = \"30s\"\nat_once = 256\ncache = \"0s\"\n"
                 "pass_headers = [\"Cookie\", \"origin\", \"User-Agent\"]\n"),
            "accepted");
  EXPECT_THAT(with("timeout = \"0s\"\n"), HasSubstr("auth.webhook.timeout"));
  EXPECT_THAT(with("timeout = \"31s\"\n"), HasSubstr("auth.webhook.timeout"));
  EXPECT_THAT(with("at_once = 0\n"), HasSubstr("auth.webhook.at_once"));
  EXPECT_THAT(with("cache = \"2h\"\n"), HasSubstr("auth.webhook.cache"));
  EXPECT_THAT(with("pass_headers = [\"x-user\"]\n"), HasSubstr("'x-user'"));
  EXPECT_THAT(with("pass_headers = [\"origin\"]\n"), HasSubstr("authorization or cookie"));
  EXPECT_THAT(with("times_out = \"5s\"\n"), HasSubstr("not a known key"));
  EXPECT_THAT(fault("[auth]\n[auth.webhook]\ncache = \"1s\"\n"),
              HasSubstr("auth.webhook.url is missing"));
  EXPECT_THAT(fault("[auth]\n[auth.webhook]\nurl = \"http://b.example/\"\n"),
              HasSubstr("http to another machine"));
  EXPECT_THAT(fault("[auth]\nwebhook = \"http://127.0.0.1/\"\n"), HasSubstr("must be a table"));
}

// Whom it has let in goes with what it was asked by.
TEST_F(AuthFile, AWebhookThatIsToldSomethingElseIsAnother) {
  const auto source = [&](const std::string& auth, const std::string& webhook) {
    return read("[auth]\n" + auth + "[auth.webhook]\nurl = \"https://a.example/\"\n" + webhook)
        ->plan->back_end->source();
  };
  const auto usual = source("", "");
  EXPECT_EQ(source("anonymous = [\"x\"]\n", "timeout = \"9s\"\n"), usual);
  EXPECT_NE(source("cookie = \"session\"\n", ""), usual);
  EXPECT_NE(source("", "pass_headers = [\"cookie\"]\n"), usual);
}

TEST_F(AuthFile, NoSecretOfAUrlIsShown) {
  for (const std::string url : {"http://me:hunter2@b.example/x", "http://b.example/?key=hunter2",
                                "https://me:hunter2@b.example/", "hunter2@", "ftp://hunter2@b/#x@y",
                                "https://b.example:bad/#hunter2"}) {
    const std::string webhook = fault("[auth]\n[auth.webhook]\nurl = \"" + url + "\"\n");
    EXPECT_THAT(webhook, AllOf(HasSubstr("auth.webhook.url"), Not(HasSubstr("hunter2")))) << url;
    const std::string jwks =
        fault("[auth]\n[[auth.issuers]]\niss=\"i\"\nkeys = [{ jwks_url = \"" + url + "\" }]\n");
    EXPECT_THAT(jwks, AllOf(HasSubstr("jwks_url"), Not(HasSubstr("hunter2")))) << url;
  }
  const auto with = [&](const std::string& key) {
    return read("[auth]\n[auth.webhook]\nurl = \"http://127.0.0.1:3000/a?key=" + key + "\"\n");
  };
  const auto auth = with("hunter2");
  ASSERT_NE(auth, nullptr);
  EXPECT_THAT(auth->toml, HasSubstr("'http://127.0.0.1:3000/a?...'"));
  EXPECT_EQ(auth->plan->back_end->server.url.to_string(), "http://127.0.0.1:3000/a?key=hunter2");
  EXPECT_NE(with("hunter3")->fingerprint, auth->fingerprint) << "it is another, though not shown";
}

TEST_F(AuthFile, FilesThatOthersReadAreNamed) {
  write("secret", net::kTestSecret, 0644);
  write("public.pem", kPublicKey, 0646);
  const auto auth = read(
      "[[auth.issuers]]\nkeys = [{ secret_file = \"secret\" }, { pem_file = \"public.pem\" }]\n"
      "[[auth.url_keys]]\nfile = \"secret\"\n");
  ASSERT_NE(auth, nullptr);
  EXPECT_THAT(auth->warnings,
              ElementsAre(folder_.path("secret") + " can be read by everybody (mode 0644)",
                          folder_.path("public.pem") + " can be changed by everybody (mode 0646)"));
}

// Of a JWKS the others count (RFC 7517, 5); that one is missing is said.
TEST_F(AuthFile, KeysOfAJwksThatAreTooWeakAreNamed) {
  const std::string n = net::base64url_encode("\xc1" + std::string(126, 'x') + "\x01");
  write("jwks.json", R"({"keys":[{"kty":"RSA","kid":"old","e":"AQAB","n":")" + n +
                         R"("},{"kty":"oct","k":")" + net::base64url_encode(net::kTestSecret) +
                         "\"}]}");
  const auto auth = read("[[auth.issuers]]\nkeys = [{ jwks_file = \"jwks.json\" }]\n");
  ASSERT_NE(auth, nullptr);
  EXPECT_THAT(auth->warnings,
              ElementsAre(folder_.path("jwks.json") +
                          ": kid old is left out: an RSA key of 1024 bits; it needs 2048 to 8192"));
}

TEST_F(AuthFile, WhatIsPrintedIsReadAgainAndHasNoSecret) {
  write("secret", net::kTestSecret);
  write("key", key_);
  const auto auth = read(
      "[auth]\nanonymous = [\"a\"]\n[[auth.keys]]\nname = \"k\"\nfile = \"key\"\n"
      "expires = 2030-01-02\n[[auth.issuers]]\nkeys = [{ secret_file = \"secret\" }]\n");
  ASSERT_NE(auth, nullptr);
  EXPECT_THAT(auth->toml, AllOf(HasSubstr("[auth]"), HasSubstr("realm"), HasSubstr("30s")));
  EXPECT_THAT(auth->toml, AllOf(Not(HasSubstr(net::kTestSecret)), Not(HasSubstr(key_))));
  const auto again = read(to_toml({}) + "\n" + auth->toml);
  ASSERT_NE(again, nullptr);
  EXPECT_EQ(again->toml, auth->toml);
  EXPECT_EQ(again->fingerprint, auth->fingerprint);
}

TEST_F(AuthFile, AnotherSecretInTheSameFileIsSeen) {
  constexpr std::string_view kText = "[[auth.url_keys]]\nfile = \"url\"\n";
  write("url", net::kTestSecret);
  const auto before = read(kText);
  const auto same = read(kText);
  write("url", net::kOtherTestSecret);
  const auto after = read(kText);
  EXPECT_EQ(before->fingerprint, same->fingerprint);
  EXPECT_NE(before->fingerprint, after->fingerprint);
}

TEST_F(AuthFile, AnOpenHubStaysOnLoopback) {
  Configuration open;
  const std::vector<std::string> loopback{"127.0.0.1:1", "[::1]:1"};
  const std::vector<std::string> everywhere{"127.0.0.1:1", "0.0.0.0:2"};
  EXPECT_EQ(open_fault(open, loopback), "");
  EXPECT_THAT(open_fault(open, everywhere),
              AllOf(HasSubstr("listen 0.0.0.0:2"), HasSubstr("[auth]"), HasSubstr("--open")));
  open.open = true;
  EXPECT_EQ(open_fault(open, everywhere), "");
  const auto closed = apply("[auth]\n");
  ASSERT_TRUE(closed);
  EXPECT_EQ(open_fault(*closed, everywhere), "");
}

}  // namespace
}  // namespace tocsin::tools
