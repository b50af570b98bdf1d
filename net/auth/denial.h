// Why a request may not do what it wants. Goes to who asked, and into the log: so it tells nothing
// of other people's keys, and has nothing of a credential.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace tocsin::net {

// What denials are counted by.
enum class DenialCause : std::uint8_t {
  no_credential,    // there is none
  two_credentials,  // they differ, or one is there twice
  malformed,        // nothing that could ever be good: a form, a header, a claim
  algorithm,        // one that its key does not have, or nobody does
  unknown_key,      // nobody that the hub knows has signed it (JWKS: perhaps ask for new keys)
  signature,        // it does not fit
  issuer,           // of a token
  audience,         // of a token
  expired,
  not_yet_valid,
  revoked,             // its subject is, by an administrator
  foreign_page,        // a cookie that a page of somebody else had sent
  insufficient_scope,  // a good credential for something else
  refused,             // the operator's back end does not take it
  unavailable,         // who could say is not to be had: an issuer's keys, the back end
};

inline constexpr std::size_t kDenialCauses =
    static_cast<std::size_t>(DenialCause::unavailable) + 1;

struct Denial {
  DenialCause cause = DenialCause::no_credential;
  // What is wrong and what would be right, for people: "the token expired 40 s ago". Characters
  // that RFC 6750, 3 allows in error_description: printable ASCII without '"' and '\'.
  std::string reason;
};

// 400, 401 or 403 (RFC 6750, 3.1); 503 where nothing can be said of the credential now.
[[nodiscard]] int status_of(DenialCause cause);
// "invalid_request", "invalid_token" or "insufficient_scope"; empty if there was no credential, or
// it is not the credential's fault.
[[nodiscard]] std::string_view error_code_of(DenialCause cause);
// A word for metrics and logs: "unknown_key".
[[nodiscard]] std::string_view name_of(DenialCause cause);

// The value of a WWW-Authenticate field: Bearer realm="…", error="…", error_description="…".
// REQUIRES: `realm` has neither '"' nor '\' nor control characters.
[[nodiscard]] std::string challenge(const Denial& denial, std::string_view realm);

// Whether a text of a request has what could be a credential: who mistypes '&' has it in a topic or
// in a parameter's name.
[[nodiscard]] bool may_hold_credential(std::string_view text);

// `text` as a reason may have it: other characters than those above become '?', and behind `max` of
// them, and in place of what could be a credential and all behind that, stands "...".
[[nodiscard]] std::string shown(std::string_view text, std::size_t max = 64);

// A time as a reason has it, as precise as people want to know it: "40 s", "90 min", "3 days".
[[nodiscard]] std::string span_words(std::int64_t seconds);

}  // namespace tocsin::net
