#include "tools/credentials/token_signer.h"

#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include <array>
#include <span>

#include <fmt/format.h>

#include "net/jose/base64url.h"
#include "net/jose/digest.h"
#include "net/jose/free_with.h"
#include "net/jose/key_documents.h"
#include "proto/assert.h"
#include "proto/json/json_text.h"

namespace tocsin::tools {
namespace {

using net::Algorithm;
using net::FreeWith;

std::string_view family_of(Algorithm algorithm) {
  return net::name_of(algorithm).substr(0, 2);
}

// What OpenSSL calls a passphrase's dialogue: none, so that a locked key is an error.
int no_passphrase(char*, int, int, void*) {
  return -1;
}

// ECDSA's two numbers out of DER, each of `size` bytes (RFC 7518, 3.4).
std::string raw_numbers(std::string_view der, int size) {
  const auto* at = reinterpret_cast<const unsigned char*>(der.data());
  const std::unique_ptr<ECDSA_SIG, FreeWith<ECDSA_SIG_free>> both(
      d2i_ECDSA_SIG(nullptr, &at, static_cast<long>(der.size())));
  TOCSIN_ASSERT(both != nullptr);
  std::string raw(2 * static_cast<std::size_t>(size), '\0');
  auto* out = reinterpret_cast<unsigned char*>(raw.data());
  TOCSIN_ASSERT(BN_bn2binpad(ECDSA_SIG_get0_r(both.get()), out, size) == size);
  TOCSIN_ASSERT(BN_bn2binpad(ECDSA_SIG_get0_s(both.get()), out + size, size) == size);
  return raw;
}

void append_member(std::string& json, std::string_view name, std::string_view value) {
  if (value.empty()) return;
  proto::append_json_string(json, name);
  json += ':';
  proto::append_json_string(json, value);
  json += ',';
}

std::string json_array(std::span<const std::string> texts) {
  std::string json = "[";
  for (const std::string& text : texts) {
    if (json.size() > 1) json += ',';
    proto::append_json_string(json, text);
  }
  return json + ']';
}

}  // namespace

std::string payload_of(const TokenTerms& terms) {
  std::string json = "{";
  append_member(json, "iss", terms.issuer);
  append_member(json, "aud", terms.audience);
  append_member(json, "sub", terms.subject);
  return json + fmt::format(R"("iat":{},"exp":{},"tocsin":{{"publish":{},"subscribe":{}}}}})",
                            terms.issued_at_s, terms.expires_at_s, json_array(terms.publish),
                            json_array(terms.subscribe));
}

std::expected<TokenSigner, std::string> TokenSigner::from_secret(std::string_view secret,
                                                                 Algorithm algorithm) {
  if (!net::is_symmetric(algorithm)) {
    return std::unexpected(fmt::format("{} needs a private key", net::name_of(algorithm)));
  }
  secret = net::secret_of(secret);
  // What a hub would not verify with signs nothing either.
  const auto good = net::VerificationKey::from_secret(algorithm, secret, {});
  if (!good) return std::unexpected(good.error());
  return TokenSigner(algorithm, net::Secret(std::string(secret)), nullptr);
}

std::expected<TokenSigner, std::string> TokenSigner::from_pem(std::string_view pem,
                                                              std::optional<Algorithm> algorithm) {
  const std::unique_ptr<BIO, FreeWith<BIO_free>> from(
      BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  TOCSIN_ASSERT(from != nullptr);
  const std::shared_ptr<EVP_PKEY> key(
      PEM_read_bio_PrivateKey(from.get(), nullptr, no_passphrase, nullptr), EVP_PKEY_free);
  ERR_clear_error();
  if (key == nullptr) return std::unexpected("no private key in PEM without a passphrase");
  if (!algorithm) algorithm = net::usual_algorithm(key.get());
  if (!algorithm) return std::unexpected("a key of a type that signs no tokens");
  const auto good = net::VerificationKey::from_public_key(*algorithm, key, {});
  if (!good) return std::unexpected(good.error());
  return TokenSigner(*algorithm, {}, key);
}

std::string TokenSigner::sign(std::string_view message) const {
  if (key_ == nullptr) {
    std::array<unsigned char, 64> value{};
    return std::string(net::Hmac(net::hash_of(algorithm_), secret_.view()).sign(message, value));
  }
  const std::unique_ptr<EVP_MD_CTX, FreeWith<EVP_MD_CTX_free>> context(EVP_MD_CTX_new());
  EVP_PKEY_CTX* options = nullptr;
  TOCSIN_ASSERT(EVP_DigestSignInit(context.get(), &options, net::evp_hash_of(algorithm_), nullptr,
                                   key_.get()) == 1);
  if (family_of(algorithm_) == "PS") {
    EVP_PKEY_CTX_set_rsa_padding(options, RSA_PKCS1_PSS_PADDING);
    EVP_PKEY_CTX_set_rsa_pss_saltlen(options, RSA_PSS_SALTLEN_DIGEST);
  }
  std::string value(static_cast<std::size_t>(EVP_PKEY_get_size(key_.get())), '\0');
  std::size_t size = value.size();
  TOCSIN_ASSERT(
      EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(value.data()), &size,
                     reinterpret_cast<const unsigned char*>(message.data()), message.size()) == 1);
  value.resize(size);
  if (family_of(algorithm_) != "ES") return value;
  return raw_numbers(value, (EVP_PKEY_get_bits(key_.get()) + 7) / 8);
}

std::string TokenSigner::token(std::string_view key_id, std::string_view payload) const {
  std::string header = "{";
  append_member(header, "kid", key_id);
  header += fmt::format(R"("alg":"{}","typ":"JWT"}})", net::name_of(algorithm_));
  const std::string message = net::base64url_encode(header) + '.' + net::base64url_encode(payload);
  return message + '.' + net::base64url_encode(sign(message));
}

}  // namespace tocsin::tools
