// What a credential costs: of a connect, or of a publish whose connection is new.
#include <array>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <benchmark/benchmark.h>

#include "net/auth/authority.h"
#include "net/jose/base64url.h"
#include "net/jose/key_documents.h"
#include "net/state/presence.h"
#include "net/state/revocations.h"

namespace tocsin::net {
namespace {

constexpr std::int64_t kNow = 1'300'000'000;
constexpr std::string_view kSecret = "a secret of this benchmark, 32 bytes";

std::string hs256_token() {
  const std::string message =
      base64url_encode(R"({"alg":"HS256","typ":"JWT"})") + '.' +
      base64url_encode(R"({"sub":"u1","exp":1300000600,"tocsin":{"publish":["chat/1","news/{id}"],)"
                       R"("subscribe":["chat/1","user/u1/*"]}})");
  std::array<unsigned char, 64> value{};
  return message + '.' + base64url_encode(Hmac(Hash::sha256, kSecret).sign(message, value));
}

// RFC 7515, A.3, where it expires in 2011.
constexpr std::string_view kEs256Token =
    "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNv"
    "bS9pc19yb290Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxf"
    "KTUJqPP3-Kg6NU1Q";
constexpr std::string_view kEs256Keys =
    R"({"keys":[{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",)"
    R"("y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]})";

// `cache_bytes`: 0, where every token is to be verified.
Authority make_authority(std::size_t cache_bytes) {
  AuthoritySettings settings;
  settings.issuers.push_back(
      {.name = "", .keys = {VerificationKey::from_secret(Algorithm::hs256, kSecret, "").value()}});
  settings.issuers.push_back(
      {.name = "joe", .keys = keys_of_jwks(kEs256Keys, JwksOrigin::file, std::nullopt).value()});
  settings.cache_bytes = cache_bytes;
  return Authority(std::move(settings));
}

void check_token(benchmark::State& state, std::string_view token, std::size_t cache_bytes) {
  const Authority authority = make_authority(cache_bytes);
  for (auto _ : state) {
    if (!authority.check(token, kNow)) state.SkipWithError("a good token was refused");
  }
  state.SetItemsProcessed(state.iterations());
}
void verify_hs256(benchmark::State& state) {
  check_token(state, hs256_token(), 0);
}
BENCHMARK(verify_hs256);
void verify_es256(benchmark::State& state) {
  check_token(state, kEs256Token, 0);
}
BENCHMARK(verify_es256);

// The same token again; also by several threads at once, who then all want one part of the cache.
void find_verified(benchmark::State& state) {
  static const Authority kAuthority = make_authority(1 << 20);
  const std::string token = hs256_token();
  for (auto _ : state) {
    if (!kAuthority.check(token, kNow)) state.SkipWithError("a good token was refused");
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(find_verified)->Threads(1)->Threads(2);

void find_access_key(benchmark::State& state) {
  const Secret key = make_access_key();
  AccessKeys keys;
  for (std::int64_t i = 1; i < state.range(0); ++i) {
    if (!keys.add(make_access_key().view(), open_principal())) state.SkipWithError("no key");
  }
  if (!keys.add(key.view(), open_principal())) state.SkipWithError("no key");
  for (auto _ : state) {
    if (!keys.find(key.view())) state.SkipWithError("the key was refused");
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(find_access_key)->Arg(1)->Arg(100);

void verify_signed_url(benchmark::State& state) {
  UrlKeys keys;
  if (!keys.add("2024a", kSecret)) state.SkipWithError("no key");
  const std::string url = keys.sign(
      {.topics = {"chat/1", "news"}, .expires_at_s = kNow + 60, .subject = "u1"}, "2024a");
  const std::string_view query = std::string_view(url).substr(url.find('?') + 1);
  for (auto _ : state) {
    if (!keys.verify("GET", "/events", query, kNow)) state.SkipWithError("a good URL was refused");
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(verify_signed_url);

// The last of 128 selectors is the one.
void match_last(benchmark::State& state, std::string_view text, std::string_view topic) {
  Selectors selectors;
  for (std::size_t i = 1; i < Selectors::kMax; ++i) {
    const std::string other = "other/" + std::to_string(i) + std::string(text.substr(5));
    if (!selectors.add(SelectorForm::tocsin, other)) state.SkipWithError("no selector");
  }
  if (!selectors.add(SelectorForm::tocsin, text)) state.SkipWithError("no selector");
  for (auto _ : state) {
    if (!selectors.match(topic)) state.SkipWithError("no match");
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(Selectors::kMax));
}
void match_name(benchmark::State& state) {
  match_last(state, "user/u1/mail", "user/u1/mail");
}
BENCHMARK(match_name);
void match_prefix(benchmark::State& state) {
  match_last(state, "user/u1/*", "user/u1/mail");
}
BENCHMARK(match_prefix);
void match_template(benchmark::State& state) {
  match_last(state, "user/{id}/mail", "user/u1/mail");
}
BENCHMARK(match_template);

// All that a template may be, and a topic that it nearly matches.
void match_worst_template(benchmark::State& state) {
  std::string text;
  for (std::size_t i = 0; i < TopicPattern::kMaxExpressions; ++i) text += "{a*,b*}a";
  Selectors selectors;
  if (!selectors.add(SelectorForm::tocsin, text)) state.SkipWithError("no selector");
  const std::string topic = std::string(511, 'a') + '!';
  for (auto _ : state) {
    if (selectors.match(topic)) state.SkipWithError("it matched");
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(match_worst_template);

// What a stream costs besides on a topic that tells who is there, of so many subjects: it joins,
// and leaves.
void presence(benchmark::State& state) {
  Presence presence{core::HashKey{}};
  const std::vector<std::string_view> topics{"chat/1"};
  std::vector<Presence::Places> others;
  for (std::int64_t i = 0; i < state.range(0); ++i) {
    others.push_back(presence.join(topics, "user-" + std::to_string(i)));
  }
  while (!presence.take(1).empty()) {}
  for (auto _ : state) {
    presence.leave(presence.join(topics, "user-0x"));
    if (state.iterations() % 1024 == 0) (void)presence.take(1);
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(presence)->Arg(1)->Arg(100'000);

// What each request costs besides while subjects are revoked.
void ask_revocations(benchmark::State& state) {
  Revocations revocations;
  for (std::int64_t i = 0; i < state.range(0); ++i) {
    if (!revocations.set("user-" + std::to_string(i), kNow + 1000, kNow)) std::abort();
  }
  const Principal somebody{.subject = "user-12345x"};
  for (auto _ : state) {
    if (revocations.deny(somebody, kNow)) state.SkipWithError("it is not revoked");
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(ask_revocations)->Arg(0)->Arg(1)->Arg(65'536);

}  // namespace
}  // namespace tocsin::net
