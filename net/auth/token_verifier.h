// Who may issue tokens, and whether one of theirs is good now.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "net/auth/principal.h"
#include "net/jose/verification_key.h"

namespace tocsin::net {

struct Issuer {
  // What its tokens say in `iss`. Empty: tokens that say nothing there, or a name of nobody else's.
  std::string name{};
  // One of these must be in a token's `aud`. Empty: its tokens must not have one, as the hub could
  // not tell whether it is meant (RFC 7519, 4.1.3).
  std::vector<std::string> audiences{};
  std::vector<VerificationKey> keys{};
  // Clocks differ: `exp`, `nbf` and `iat` are taken by so many seconds more lightly.
  std::uint32_t leeway_s = 30;
  // Refuse tokens that never expire.
  bool require_expiry = true;
  // What RemoteAuthority knows the place by where more of its keys may be; empty: there is none.
  std::string key_source{};
};

// Who could say more of a token that was denied.
struct TokenOrigin {
  bool is_known = false;  // it is one of the issuers'
  // Its issuer's, if that may have a key for it that is not known; empty: it has none. Lives as
  // long as the verifier.
  std::string_view key_source{};
};

// Immutable; safe to use from several threads at once.
class TokenVerifier {
 public:
  static constexpr std::uint32_t kMaxLeewayS = 600;
  // Keys that a token without a `kid` is tried with, each in full.
  static constexpr std::size_t kMaxTries = 4;

  // REQUIRES: names are different, leeways at most kMaxLeewayS.
  explicit TokenVerifier(std::vector<Issuer> issuers);

  // The principal of a JWT, at `now_s`, seconds since 1970. In this order: its form and header
  // (net/jose/jws.h), the issuer, the key, the signature, then the claims. Of a token that nobody
  // has signed the payload is parsed, and of that nothing but `iss` is used.
  //
  // A key is one of the issuer's with the token's algorithm and `kid`; if none has the `kid`, those
  // without an id; for a token without a `kid` all of the algorithm.
  [[nodiscard]] std::expected<PrincipalPtr, Denial> verify(std::string_view token,
                                                           std::int64_t now_s) const;

  // Nothing of the token is verified.
  [[nodiscard]] TokenOrigin origin_of(std::string_view token) const;

  // Whether one of the keys is the principal's source.
  [[nodiscard]] bool has_source(std::uint64_t source) const;

 private:
  std::vector<Issuer> issuers_;
};

}  // namespace tocsin::net
