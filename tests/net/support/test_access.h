// A hub that asks for credentials, and whoever gives them out.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "net/auth/access.h"
#include "net/jose/base64url.h"
#include "net/jose/digest.h"
#include "net/jose/verification_key.h"

namespace tocsin::net {

inline constexpr std::string_view kTestSecret = "a secret of thirty-two bytes, or more";
inline constexpr std::string_view kOtherTestSecret = "another secret of thirty-two bytes, too";

inline Selectors selectors(const std::vector<std::string>& texts) {
  Selectors all;
  for (const std::string& text : texts) all.add(SelectorForm::tocsin, text).value();
  return all;
}

// A JWT with these claims, JSON.
inline std::string make_token(std::string_view claims, std::string_view secret = kTestSecret) {
  const std::string text = base64url_encode(R"({"alg":"HS256","typ":"JWT"})") + '.' +
                           base64url_encode(claims);
  std::array<unsigned char, 64> value{};
  return text + '.' + base64url_encode(Hmac(Hash::sha256, secret).sign(text, value));
}

// One that may read and publish these selectors, a JSON array each; `more`: other claims, each with
// a comma in front.
inline std::string token_for(std::string_view subscribe, std::string_view publish = "[]",
                             std::string_view more = R"(,"exp":99999999999)",
                             std::string_view secret = kTestSecret) {
  std::string claims = R"({"tocsin":{"subscribe":)";
  claims.append(subscribe).append(R"(,"publish":)").append(publish).append("}");
  return make_token(claims.append(more).append("}"), secret);
}

inline std::string bearer(std::string_view credential) {
  return "Authorization: Bearer " + std::string(credential) + "\r\n";
}

// What becomes an Access.
struct TestAccess {
  struct Key {
    std::string key;
    Principal principal;
  };
  std::vector<Key> keys{};
  std::vector<std::string> secrets{std::string(kTestSecret)};  // of the one issuer
  std::vector<std::string> url_secrets{std::string(kTestSecret)};  // ids: "u0", "u1" …
  std::vector<std::string> anonymous{};
  std::string cookie = "session";
  bool query_token = true;
  bool query_token_publishes = false;
  bool public_metrics = true;
  std::string key_id{};  // of the last secret
  // But for its keys.
  Issuer issuer{.leeway_s = 0, .require_expiry = false};

  // Adds a key; what it is.
  std::string add_key(std::string subject, const std::vector<std::string>& subscribe,
                      const std::vector<std::string>& publish, bool admin = false) {
    keys.push_back({.key = std::string(make_access_key().view()),
                    .principal = {.kind = CredentialKind::key,
                                  .subject = std::move(subject),
                                  .publish = selectors(publish),
                                  .subscribe = selectors(subscribe),
                                  .admin = admin}});
    return keys.back().key;
  }
  [[nodiscard]] UrlKeys url_keys() const {
    UrlKeys made;
    for (std::size_t i = 0; i < url_secrets.size(); ++i) {
      made.add("u" + std::to_string(i), url_secrets[i]).value();
    }
    return made;
  }
  [[nodiscard]] std::string sign(const UrlGrant& grant, const std::string& id = "u0") const {
    return url_keys().sign(grant, id);
  }
  [[nodiscard]] std::shared_ptr<const Access> make() const {
    AuthoritySettings settings;
    for (const Key& key : keys) {
      settings.keys.add(key.key, std::make_shared<const Principal>(key.principal)).value();
    }
    settings.issuers.push_back(issuer);
    for (const std::string& secret : secrets) {
      settings.issuers.back().keys.push_back(
          VerificationKey::from_secret(Algorithm::hs256, secret,
                                       &secret == &secrets.back() ? key_id : "")
              .value());
    }
    settings.url_keys = url_keys();
    settings.anonymous = selectors(anonymous);
    auto access = std::make_shared<Access>();
    access->authority = std::make_shared<const Authority>(std::move(settings));
    access->realm = "test";
    access->cookie = cookie;
    access->query_token = query_token;
    access->query_token_publishes = query_token_publishes;
    access->public_metrics = public_metrics;
    return access;
  }
};

}  // namespace tocsin::net
