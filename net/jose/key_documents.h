// Verification keys as they are written down: a secret, PEM, a JWKS (RFC 7517).
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "net/jose/verification_key.h"

namespace tocsin::net {

inline constexpr std::size_t kMaxKeyDocument = 256 * 1024;  // bytes
inline constexpr std::size_t kMaxKeysOfDocument = 128;

using LoadedKeys = std::expected<std::vector<VerificationKey>, std::string>;

// The secret that a file has: all its bytes but one line end behind the last.
[[nodiscard]] std::string_view secret_of(std::string_view text);
// The algorithm that follows from a public or private key's type: RS256, ES256, ES384, ES512,
// EdDSA. Nothing: keys of its type sign no tokens.
[[nodiscard]] std::optional<Algorithm> usual_algorithm(const evp_pkey_st* key);

// A secret, as secret_of() has it. Without `algorithm`: HS256.
[[nodiscard]] LoadedKeys keys_of_secret(std::string_view text, std::optional<Algorithm> algorithm,
                                        std::string id);

// The public keys (SubjectPublicKeyInfo) and certificates of a PEM text, in order; a certificate is
// nothing but its key here. Without `algorithm`: the usual one. `id` is each one's. A private key
// is an error: the hub has no use for it.
[[nodiscard]] LoadedKeys keys_of_pem(std::string_view text, std::optional<Algorithm> algorithm,
                                     std::string id);

enum class JwksOrigin : std::uint8_t {
  file,     // of the operator: may hold secrets (`oct`)
  fetched,  // from a URL, which others can read as well: secrets are an error
};

// The keys that the hub can verify with; RFC 7517, 5 wants all others to be ignored: those of an
// unknown type, curve or algorithm, for encryption (`use`, `key_ops`), RSA under 2048 bits. One
// that says no algorithm has `algorithm` if that fits it, else the one that follows from its type
// (`oct`: HS256). The JSON parser wipes no secret that it read; one in a file of its own is better
// kept. An error: what is no JWKS, a private key, a member twice, no key that is left.
//
// `weak`: becomes a sentence for each key that is left out although it is meant for signatures, and
// its type is known: "kid 7 is left out: an RSA key of 1024 bits; it needs 2048 to 8192". Null:
// nobody wants to know.
[[nodiscard]] LoadedKeys keys_of_jwks(std::string_view text, JwksOrigin origin,
                                      std::optional<Algorithm> algorithm,
                                      std::vector<std::string>* weak = nullptr);

}  // namespace tocsin::net
