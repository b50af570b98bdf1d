// A JWS in its compact form (RFC 7515, 7.1) and what its header may say.
#pragma once

#include <cstddef>
#include <expected>
#include <string>
#include <string_view>

#include "net/jose/secret.h"
#include "net/jose/verification_key.h"

namespace tocsin::net {

// A request's head is 16 KiB, so no longer one arrives.
inline constexpr std::size_t kMaxJws = 16 * 1024;  // bytes
inline constexpr std::size_t kMaxKeyId = 256;      // bytes

// Nothing of it is verified.
struct Jws {
  Algorithm algorithm;
  std::string key_id{};            // `kid`; empty: none
  std::string payload{};           // decoded
  Secret signature{};              // decoded
  std::string_view signed_part{};  // of the text that was parsed: header '.' payload
};

// Refused, with a reason in words that has nothing of the text but the names of what it says:
// - another form than three parts of strict base64url, or more than kMaxJws bytes
// - a header that is no JSON object, or says something twice
// - `alg`: `none`, or one that is not supported
// - `crit`, whatever it lists (RFC 7515, 4.1.11: none is understood here), and `b64` (RFC 7797)
// - a key in the header or where to get one (`jwk`, `jku`, `x5u`, `x5c`): a token does not choose
//   whom the hub trusts
// - a `kid` that is no text of 1 to kMaxKeyId visible ASCII characters, or has quotes, '\' or ".."
// - a `typ` other than JWT, at+jwt or JOSE: a token for another purpose (RFC 8725, 3.11)
[[nodiscard]] std::expected<Jws, std::string> parse_jws(std::string_view text);

}  // namespace tocsin::net
