// Who makes a request: where it has its credential, and whose that is.
//
// A credential is looked for in this order:
//   Authorization: Bearer …   RFC 6750, 2.1; other schemes are none of the hub's
//   the cookie                Access::cookie; where more than reading is asked for, only from pages
//                             of this host or of an allowed origin (Origin, else Referer)
//   the query's `token`       where Access has it count; never taken from a body
//   a signed URL              the query's `sig`: net/auth/signed_url.h
// One that is there counts: where it is not good nobody looks further, and nobody comes in as if he
// had none. Two that differ are refused (RFC 6750, 2 and 3.1): which of them its sender meant, and
// which one a proxy in front has looked at, is not known.
//
// Where there is a back end of the operator's, it judges what is left: a credential that is no key,
// no signed URL and no token of an issuer's; and of a request that has none of these, a field
// Authorization of another scheme, or if Access::cookie is empty its cookies.
//
// What a Denial says is of the request's own: never a credential, nor a part of one.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string_view>

#include "net/auth/access.h"
#include "net/auth/denial.h"
#include "net/auth/principal.h"
#include "net/jose/secret.h"
#include "net/server_options.h"
#include "proto/http/request.h"

namespace tocsin::net {

// What a resource wants to know of who asks for it.
enum class Needs : std::uint8_t {
  nothing,    // nobody is asked
  anybody,    // whoever has a good credential, of any kind
  subscribe,  // who may read topics; which ones, its handler asks
  publish,    // the same for publishing
  metrics,    // who has an access key, where Access::public_metrics is not set; else nothing
  admin,      // Principal::admin
};

// Who else may know whose a credential is that the authority does not take.
struct Referral {
  enum class To : std::uint8_t {
    issuer,    // of the token: it may have signed with a new key
    back_end,  // the operator's: the credential is of no kind that the authority knows
  };
  To to = To::back_end;
  std::string_view key_source{};  // TokenOrigin's; lives as long as the Access
  Secret credential{};            // that was found; empty: none that the hub looks for
  // The same as the field Authorization has it, if it stands elsewhere.
  Secret authorization{};
};

// Whether it takes no credential, whoever asks. `access`: null, or without an authority: the hub is
// open.
[[nodiscard]] bool asks_nobody(Needs needs, const Access* access);

// REQUIRES: `access` has an authority, and `needs` asks somebody. `now_s`: seconds since 1970.
// `referral`: is given one where others are to be asked first; then the denial is what counts if
// they cannot be. Null: nobody can. `place`: is given where the credential stands, for whomever it
// turns out to be (mark_of()).
[[nodiscard]] std::expected<PrincipalPtr, Denial> authenticate(const proto::Request& request,
                                                               Needs needs, const Access& access,
                                                               const ServerOptions& options,
                                                               std::int64_t now_s,
                                                               std::optional<Referral>* referral,
                                                               std::uint64_t& place);

// Whoever it is, and however that became known: whether that is enough. Nothing: it is.
[[nodiscard]] std::optional<Denial> deny_needs(Needs needs, const Principal& principal,
                                               std::int64_t now_s);

inline constexpr std::string_view kTokenParameter = "token";
// What is said of one that does not count.
inline constexpr std::string_view kTokenOutOfPlace =
    "a token in the query does not count here; send it as Authorization: Bearer";

// Whether a parameter of a request's query is a part of its credential. `access` may be null.
[[nodiscard]] bool is_credential(std::string_view parameter, const proto::Request& request,
                                 Needs needs, const Access* access);

}  // namespace tocsin::net
