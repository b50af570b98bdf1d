// Keys of issuers, and tokens that they sign: good ones, and whatever an attacker would like.
#pragma once

#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>

#include "net/jose/verification_key.h"

namespace tocsin::net {

// A new key of the algorithm's type, with its secret part.
class TokenMaker {
 public:
  // `id`: the `kid` of its tokens and of its JWK; empty: none.
  explicit TokenMaker(Algorithm algorithm, std::string id = {});

  // What a hub verifies with.
  [[nodiscard]] VerificationKey key() const;
  [[nodiscard]] std::string public_pem() const;
  [[nodiscard]] std::string private_pem() const;
  // One key of a JWKS; of a secret too.
  [[nodiscard]] std::string jwk() const;
  // Of an algorithm with one.
  [[nodiscard]] const std::string& secret() const { return secret_; }

  // A token with these claims, as JSON, and the usual header.
  [[nodiscard]] std::string token(std::string_view payload) const;
  // With a header of its own, as JSON; the signature is good whatever it says.
  [[nodiscard]] std::string token_with(std::string_view header, std::string_view payload) const;
  // As JWS has it.
  [[nodiscard]] std::string sign(std::string_view message) const;

 private:
  Algorithm algorithm_;
  std::string id_;
  std::string secret_;
  std::shared_ptr<evp_pkey_st> key_;
};

// A JWKS of such keys: {"keys":[…]}.
[[nodiscard]] std::string jwks_of(std::initializer_list<const TokenMaker*> makers);

// A denial's words may go into a header and a log.
[[nodiscard]] bool is_showable_reason(std::string_view reason);

}  // namespace tocsin::net
