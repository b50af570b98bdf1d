// All that a hub knows of who may do what, at one time: made from the configuration at the start
// and at each SIGHUP, and when an issuer's keys have changed, then shared and never changed.
//
// Times are seconds since 1970 of the system's clock. Nothing here blocks, reads a file or a clock.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <string_view>
#include <vector>

#include "net/auth/access_keys.h"
#include "net/auth/principal.h"
#include "net/auth/signed_url.h"
#include "net/auth/token_verifier.h"

namespace tocsin::net {

class PrincipalCache;

struct AuthoritySettings {
  AccessKeys keys;
  std::vector<Issuer> issuers;
  UrlKeys url_keys;
  // What may be read without a credential. Empty: nothing.
  Selectors anonymous;
  // Of verified tokens: some 500 bytes each.
  std::size_t cache_bytes = std::size_t{16} * 1024 * 1024;
};

// Safe to use from several threads at once. Its cache is its own, so no token outlives the keys
// that it was verified with.
class Authority {
 public:
  explicit Authority(AuthoritySettings settings);
  ~Authority();

  // A key or a JWT, from wherever the request had it. The principal has not expired at `now_s`.
  [[nodiscard]] std::expected<PrincipalPtr, Denial> check(std::string_view credential,
                                                          std::int64_t now_s) const;

  // A request whose query has a `sig`: see UrlKeys::verify().
  [[nodiscard]] std::expected<PrincipalPtr, Denial> check_url(
      std::string_view method, std::string_view path, std::string_view query, std::int64_t now_s,
      bool (*is_free)(std::string_view name) = nullptr) const;

  // A request without a credential.
  [[nodiscard]] std::expected<PrincipalPtr, Denial> check_nobody() const;

  // Of a credential that check() has denied.
  [[nodiscard]] TokenOrigin origin_of(std::string_view token) const {
    return tokens_.origin_of(token);
  }

  // Whether what gave a principal its rights is still there. REQUIRES: it is a token's or a signed
  // URL's.
  [[nodiscard]] bool has_source(CredentialKind kind, std::uint64_t source) const;
  // Whose access key it is now; null: it is gone.
  [[nodiscard]] PrincipalPtr key_of(std::uint64_t source) const { return keys_.of_source(source); }

 private:
  [[nodiscard]] std::expected<PrincipalPtr, Denial> check_key(std::string_view key,
                                                              std::int64_t now_s) const;

  AccessKeys keys_;
  TokenVerifier tokens_;
  UrlKeys url_keys_;
  PrincipalPtr anonymous_;  // null: not allowed
  const std::unique_ptr<PrincipalCache> cache_;
};

}  // namespace tocsin::net
