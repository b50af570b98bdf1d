// Keys that signatures are verified with. An algorithm belongs to a key (RFC 8725, 3.1): what a
// token says of its algorithm only has to be the same.
#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "net/jose/digest.h"

struct evp_md_st;
struct evp_pkey_st;

namespace tocsin::net {

// JWS algorithms (RFC 7518, 3; RFC 8037). EdDSA is Ed25519 alone.
enum class Algorithm : std::uint8_t {
  hs256,
  hs384,
  hs512,
  rs256,
  rs384,
  rs512,
  ps256,
  ps384,
  ps512,
  es256,
  es384,
  es512,
  eddsa,
};

// As in a token's header: "HS256".
[[nodiscard]] std::string_view name_of(Algorithm algorithm);
// Nothing for what is not supported, `none` among it. "Ed25519" (RFC 9864) is EdDSA.
[[nodiscard]] std::optional<Algorithm> algorithm_of(std::string_view name);

// That of its signatures. EdDSA hashes by itself: SHA-256 means nothing there, and it has no
// OpenSSL's, which is null.
[[nodiscard]] Hash hash_of(Algorithm algorithm);
[[nodiscard]] const evp_md_st* evp_hash_of(Algorithm algorithm);

// HS256, HS384, HS512: who can verify can sign.
[[nodiscard]] bool is_symmetric(Algorithm algorithm);

// Immutable; safe to use from several threads at once. A copy is the same key.
class VerificationKey {
 public:
  static constexpr int kMinRsaBits = 2048;  // RFC 7518, 3.3
  static constexpr int kMaxRsaBits = 8192;  // a verification takes some 0.3 ms there

  // `id`: what tokens call the key (`kid`), empty: nothing. The error says in words why the key
  // will not do: a secret shorter than the hash (RFC 7518, 3.2), RSA of too few bits, another curve
  // than the algorithm's, a private key.
  [[nodiscard]] static std::expected<VerificationKey, std::string> from_secret(
      Algorithm algorithm, std::string_view secret, std::string id);
  [[nodiscard]] static std::expected<VerificationKey, std::string> from_public_key(
      Algorithm algorithm, std::shared_ptr<evp_pkey_st> key, std::string id);

  // `signature` as JWS has it: of ES256 and its like both numbers, of fixed length. Any bytes may
  // be given; wrong ones of a secret take as long as right ones.
  [[nodiscard]] bool verify(std::string_view message, std::string_view signature) const;

  [[nodiscard]] Algorithm algorithm() const { return algorithm_; }
  [[nodiscard]] const std::string& id() const { return id_; }
  // Tells the key from others, whatever its id.
  [[nodiscard]] std::uint64_t fingerprint() const { return fingerprint_; }

 private:
  using Material = std::variant<Hmac, std::shared_ptr<evp_pkey_st>>;
  VerificationKey(Algorithm algorithm, Material material, std::string id);

  Algorithm algorithm_;
  Material material_;
  std::string id_;
  std::uint64_t fingerprint_;
};

}  // namespace tocsin::net
