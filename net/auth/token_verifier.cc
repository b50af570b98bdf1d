#include "net/auth/token_verifier.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <set>
#include <utility>

#include "net/auth/claims.h"
#include "net/auth/source.h"
#include "net/jose/jws.h"
#include "net/jose/strict_json.h"
#include "proto/assert.h"

namespace tocsin::net {
namespace {

std::unexpected<Denial> denied(DenialCause cause, std::string_view reason) {
  constexpr std::size_t kMaxReason = 256;
  return std::unexpected(Denial{.cause = cause, .reason = shown(reason, kMaxReason)});
}

const Issuer* find_issuer(const std::vector<Issuer>& issuers, std::string_view name) {
  const auto named = std::ranges::find(issuers, name, &Issuer::name);
  if (named != issuers.end()) return &*named;
  const auto any = std::ranges::find(issuers, "", &Issuer::name);
  return any == issuers.end() ? nullptr : &*any;
}

// The keys that may have signed a token, or why there are none.
using Candidates = std::expected<std::vector<const VerificationKey*>, Denial>;
Candidates candidates(const Issuer& issuer, const Jws& jws) {
  std::vector<const VerificationKey*> keys;
  const auto take = [&](auto&& fits) {
    for (const VerificationKey& key : issuer.keys) {
      if (fits(key)) keys.push_back(&key);
    }
  };
  const std::string algorithm(name_of(jws.algorithm));
  if (jws.key_id.empty()) {
    take([&](const VerificationKey& key) { return key.algorithm() == jws.algorithm; });
    if (keys.size() > TokenVerifier::kMaxTries) {
      return denied(DenialCause::unknown_key,
                    "the token does not say which of several keys has signed it (kid)");
    }
    if (!keys.empty()) return keys;
    return denied(DenialCause::algorithm, "its issuer has no key for " + algorithm);
  }
  const std::string kid = "kid " + shown(jws.key_id);
  take([&](const VerificationKey& key) { return key.id() == jws.key_id; });
  if (keys.empty()) take([](const VerificationKey& key) { return key.id().empty(); });
  if (keys.empty()) return denied(DenialCause::unknown_key, kid + " is none of its issuer's keys");
  std::erase_if(keys, [&](const auto* key) { return key->algorithm() != jws.algorithm; });
  keys.resize(std::min(keys.size(), TokenVerifier::kMaxTries));
  if (!keys.empty()) return keys;
  return denied(DenialCause::algorithm, kid + " is no key for " + algorithm);
}

// How a token of an issuer's names the key that has signed it.
enum class Naming : std::uint8_t { by_id, not_at_all, by_an_unknown_id };

// Everything of the configuration that made a token good: the issuer's settings, its key, how that
// was found, by which audience, and whether it may be without an end. What is not said here must
// not be able to make the same token a bad one.
std::uint64_t source_by(const std::vector<Issuer>& issuers, const Issuer& issuer,
                        const VerificationKey& key, Naming naming, std::string_view audience,
                        bool expires) {
  // An issuer without a name has the tokens that are none of the others'; a key without an id, the
  // ids that are none of the others'.
  std::string others;
  const auto add = [&others](std::string_view name) { others.append(name).append(1, '\0'); };
  if (issuer.name.empty()) {
    for (const Issuer& one : issuers) add(one.name);
  }
  if (naming == Naming::by_an_unknown_id) {
    for (const VerificationKey& one : issuer.keys) add(one.id());
  }
  return source_of({"token", issuer.name, std::to_string(issuer.leeway_s),
                    std::to_string(key.fingerprint()), name_of(key.algorithm()),
                    naming == Naming::by_id ? key.id() : "",
                    std::to_string(static_cast<int>(naming)), audience,
                    expires ? "expires" : "", others});
}

// Whether one of the issuer's tokens could have this source.
bool can_give(const std::vector<Issuer>& issuers, const Issuer& issuer, std::uint64_t source) {
  const std::vector<std::string> none{""};
  const auto& audiences = issuer.audiences.empty() ? none : issuer.audiences;
  for (const VerificationKey& key : issuer.keys) {
    const auto alike =
        std::ranges::count(issuer.keys, key.algorithm(), &VerificationKey::algorithm);
    std::vector<Naming> namings{key.id().empty() ? Naming::by_an_unknown_id : Naming::by_id};
    if (static_cast<std::size_t>(alike) <= TokenVerifier::kMaxTries) {
      namings.push_back(Naming::not_at_all);
    }
    for (const Naming naming : namings) {
      for (const std::string& audience : audiences) {
        if (source_by(issuers, issuer, key, naming, audience, true) == source) return true;
        if (issuer.require_expiry) continue;
        if (source_by(issuers, issuer, key, naming, audience, false) == source) return true;
      }
    }
  }
  return false;
}

// The audience by which the token is for this hub, empty: none is asked for; or why it is not.
std::expected<std::string, Denial> check_audience(const Issuer& issuer, const Claims& claims) {
  const auto& audiences = claims.audiences;
  const auto meant = std::ranges::find_first_of(audiences, issuer.audiences);
  if (meant != audiences.end()) return *meant;
  if (issuer.audiences.empty() && audiences.empty()) return std::string();
  std::string reason = "the token is for ";
  reason += audiences.empty() ? "nobody in particular (no aud)" : shown(audiences.front());
  reason += issuer.audiences.empty() ? ", and no audience is configured for its issuer"
                                     : ", not for " + issuer.audiences.front();
  return denied(DenialCause::audience, reason);
}

// Nothing if the token is good at this time.
std::optional<Denial> check_times(const Issuer& issuer, const Claims& claims, std::int64_t now_s) {
  const std::int64_t leeway_s = issuer.leeway_s;
  const auto is_to_come = [&](const std::optional<std::int64_t>& time_s) {
    return time_s && *time_s - leeway_s > now_s;
  };
  if (!claims.expires_at_s && issuer.require_expiry) {
    return denied(DenialCause::malformed,
                  "the token never expires (no exp), which its issuer's tokens must here")
        .error();
  }
  if (claims.expires_at_s && now_s >= *claims.expires_at_s + leeway_s) {
    return denied(DenialCause::expired,
                  "the token expired " + span_words(now_s - *claims.expires_at_s) + " ago")
        .error();
  }
  if (is_to_come(claims.not_before_s)) {
    return denied(DenialCause::not_yet_valid,
                  "the token is not valid yet, but in " + span_words(*claims.not_before_s - now_s))
        .error();
  }
  if (is_to_come(claims.issued_at_s)) {
    return denied(DenialCause::not_yet_valid, "the token was issued in the future, in " +
                                                  span_words(*claims.issued_at_s - now_s) +
                                                  ": a clock is wrong")
        .error();
  }
  return std::nullopt;
}

}  // namespace

TokenVerifier::TokenVerifier(std::vector<Issuer> issuers) : issuers_(std::move(issuers)) {
  std::set<std::string_view> names;
  for (const Issuer& issuer : issuers_) {
    TOCSIN_ASSERT(names.insert(issuer.name).second);
    TOCSIN_ASSERT(issuer.leeway_s <= kMaxLeewayS);
  }
}

std::expected<PrincipalPtr, Denial> TokenVerifier::verify(std::string_view token,
                                                          std::int64_t now_s) const {
  const auto jws = parse_jws(token);
  if (!jws) return denied(DenialCause::malformed, jws.error());
  const auto payload = StrictJson::parse(jws->payload, "the token's payload");
  if (!payload) return denied(DenialCause::malformed, payload.error());
  const auto name = issuer_of(*payload);
  if (!name) return std::unexpected(name.error());
  const Issuer* issuer = find_issuer(issuers_, *name);
  if (issuer == nullptr) {
    return denied(DenialCause::issuer,
                  name->empty() ? "the token does not say its issuer (iss)"
                                : "the token's issuer " + shown(*name) + " is none of this hub's");
  }
  const auto keys = candidates(*issuer, *jws);
  if (!keys) return std::unexpected(keys.error());
  const auto has_signed = [&](const VerificationKey* key) {
    return key->verify(jws->signed_part, jws->signature.view());
  };
  const auto signer = std::ranges::find_if(*keys, has_signed);
  if (signer == keys->end()) {
    return denied(DenialCause::signature,
                  "the token's signature is wrong: it was changed, or signed with another key");
  }

  auto claims = read_claims(*payload);
  if (!claims) return std::unexpected(std::move(claims.error()));
  const auto audience = check_audience(*issuer, *claims);
  if (!audience) return std::unexpected(audience.error());
  if (auto denial = check_times(*issuer, *claims, now_s)) {
    return std::unexpected(*std::move(denial));
  }
  if (claims->expires_at_s) *claims->expires_at_s += issuer->leeway_s;
  const Naming naming = jws->key_id.empty()       ? Naming::not_at_all
                        : (*signer)->id().empty() ? Naming::by_an_unknown_id
                                                  : Naming::by_id;
  return std::make_shared<const Principal>(
      Principal{.kind = CredentialKind::token,
                .subject = std::move(claims->subject),
                .publish = std::move(claims->publish),
                .subscribe = std::move(claims->subscribe),
                .source = source_by(issuers_, *issuer, **signer, naming, *audience,
                                    claims->expires_at_s.has_value()),
                .expires_at_s = claims->expires_at_s});
}

TokenOrigin TokenVerifier::origin_of(std::string_view token) const {
  const auto jws = parse_jws(token);
  if (!jws) return {};
  const auto payload = StrictJson::parse(jws->payload, "the token's payload");
  if (!payload) return {};
  const auto name = issuer_of(*payload);
  const Issuer* issuer = name ? find_issuer(issuers_, *name) : nullptr;
  if (issuer == nullptr) return {};
  // One that names a key which is there would not be verified by another.
  const bool has_key = !jws->key_id.empty() && std::ranges::find(issuer->keys, jws->key_id,
                                                                 &VerificationKey::id) !=
                                                   issuer->keys.end();
  return {.is_known = true,
          .key_source = has_key ? std::string_view() : std::string_view(issuer->key_source)};
}

bool TokenVerifier::has_source(std::uint64_t source) const {
  return std::ranges::any_of(issuers_, [this, source](const Issuer& issuer) {
    return can_give(issuers_, issuer, source);
  });
}

}  // namespace tocsin::net
