// What a token says (RFC 7519), read once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <vector>

#include "net/auth/denial.h"
#include "net/auth/selectors.h"
#include "net/jose/strict_json.h"

namespace tocsin::net {

struct Claims {
  static constexpr std::size_t kMaxAudiences = 32;

  std::string subject;
  std::vector<std::string> audiences;
  // Seconds since 1970; a fraction is cut off.
  std::optional<std::int64_t> expires_at_s;  // exp
  std::optional<std::int64_t> not_before_s;  // nbf
  std::optional<std::int64_t> issued_at_s;   // iat
  Selectors publish;
  Selectors subscribe;
};

// The `iss` of a payload, which is not verified yet; empty: none.
[[nodiscard]] std::expected<std::string, Denial> issuer_of(const StrictJson& payload);

// All the others. A claim of the wrong type or form refuses the token as a whole: what is left out
// would change what it means. Rights are the sum of
//   "tocsin": {"publish": [selector…], "subscribe": [selector…]}
//   "authorization_details" (RFC 9396): objects whose `type` is Mercure's
//     "https://mercure.rocks/authorization-detail", with `actions` ("publish", "subscribe", others
//     mean nothing) and `topics`, [{"match": …, "match_type": "exact" or "urlpattern"}…]
//   "mercure", or in its place "https://mercure.rocks/", unless there are any such details:
//     {"publish": […], "subscribe": […]} of selectors, or of objects like those above
// with at most Selectors::kMax of each kind. A hub of Mercure's lets a token with an empty list
// read public updates; here all topics are private.
[[nodiscard]] std::expected<Claims, Denial> read_claims(const StrictJson& payload);

}  // namespace tocsin::net
