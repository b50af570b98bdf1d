#include "net/auth/authority.h"

#include <utility>

#include "net/auth/principal_cache.h"
#include "proto/assert.h"

namespace tocsin::net {

Authority::Authority(AuthoritySettings settings)
    : keys_(std::move(settings.keys)),
      tokens_(std::move(settings.issuers)),
      url_keys_(std::move(settings.url_keys)),
      anonymous_(settings.anonymous.empty() ? nullptr
                                            : anonymous_principal(std::move(settings.anonymous))),
      cache_(std::make_unique<PrincipalCache>(settings.cache_bytes)) {}

Authority::~Authority() = default;

std::expected<PrincipalPtr, Denial> Authority::check(std::string_view credential,
                                                     std::int64_t now_s) const {
  if (is_access_key(credential)) return check_key(credential, now_s);
  const Digest digest = sha256(credential);
  if (auto known = cache_->find(digest, now_s)) return known;
  auto verified = tokens_.verify(credential, now_s);
  if (verified) cache_->put(digest, *verified);
  return verified;
}

std::expected<PrincipalPtr, Denial> Authority::check_key(std::string_view key,
                                                         std::int64_t now_s) const {
  auto found = keys_.find(key);
  if (!found || !(*found)->is_expired(now_s)) return found;
  return std::unexpected(
      Denial{.cause = DenialCause::expired,
             .reason = "the key expired " + span_words(now_s - *(*found)->expires_at_s) + " ago"});
}

std::expected<PrincipalPtr, Denial> Authority::check_url(
    std::string_view method, std::string_view path, std::string_view query, std::int64_t now_s,
    bool (*is_free)(std::string_view name)) const {
  return url_keys_.verify(method, path, query, now_s, is_free);
}

std::expected<PrincipalPtr, Denial> Authority::check_nobody() const {
  if (anonymous_ != nullptr) return anonymous_;
  return std::unexpected(
      Denial{.cause = DenialCause::no_credential,
             .reason = "there is no credential; the hub takes a key or a token as Authorization: "
                       "Bearer, or a signed URL"});
}

bool Authority::has_source(CredentialKind kind, std::uint64_t source) const {
  TOCSIN_ASSERT(kind == CredentialKind::token || kind == CredentialKind::signed_url);
  return kind == CredentialKind::token ? tokens_.has_source(source) : url_keys_.has_source(source);
}

}  // namespace tocsin::net
