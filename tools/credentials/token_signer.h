// Makes tokens, for tests: what an issuer has, and a hub never needs.
#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "net/jose/secret.h"
#include "net/jose/verification_key.h"

struct evp_pkey_st;

namespace tocsin::tools {

struct TokenTerms {
  std::string issuer{};    // iss; empty: none
  std::string audience{};  // aud; empty: none
  std::string subject{};   // sub; empty: none
  std::vector<std::string> publish{};
  std::vector<std::string> subscribe{};
  std::int64_t issued_at_s = 0;  // seconds since 1970
  std::int64_t expires_at_s = 0;
};

// The payload of a token that says so, JSON.
[[nodiscard]] std::string payload_of(const TokenTerms& terms);

// Immutable. Errors are in words, and have nothing of a key.
class TokenSigner {
 public:
  // HS256, HS384 or HS512; a line end behind the secret is none of it.
  [[nodiscard]] static std::expected<TokenSigner, std::string> from_secret(
      std::string_view secret, net::Algorithm algorithm);
  // A private key in PEM without a passphrase. Without `algorithm` the usual one of its type.
  [[nodiscard]] static std::expected<TokenSigner, std::string> from_pem(
      std::string_view pem, std::optional<net::Algorithm> algorithm);

  // `key_id`: `kid`; empty: none.
  [[nodiscard]] std::string token(std::string_view key_id, std::string_view payload) const;
  [[nodiscard]] net::Algorithm algorithm() const { return algorithm_; }

 private:
  TokenSigner(net::Algorithm algorithm, net::Secret secret, std::shared_ptr<evp_pkey_st> key)
      : algorithm_(algorithm), secret_(std::move(secret)), key_(std::move(key)) {}
  [[nodiscard]] std::string sign(std::string_view message) const;

  net::Algorithm algorithm_;
  net::Secret secret_;                // one of the two
  std::shared_ptr<evp_pkey_st> key_;
};

}  // namespace tocsin::tools
