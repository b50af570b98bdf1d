#include "tests/net/support/token_maker.h"

#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "net/jose/base64url.h"
#include "net/jose/digest.h"
#include "net/jose/free_with.h"
#include "proto/assert.h"

namespace tocsin::net {
namespace {

std::string_view family_of(Algorithm algorithm) {
  return name_of(algorithm).substr(0, 2);
}

const char* curve_of(Algorithm algorithm) {
  if (algorithm == Algorithm::es256) return "P-256";
  return algorithm == Algorithm::es384 ? "P-384" : "P-521";
}
int number_size(Algorithm algorithm) {
  if (algorithm == Algorithm::es256) return 32;
  return algorithm == Algorithm::es384 ? 48 : 66;
}

// By the name: not from the table that is tested.
const EVP_MD* digest_of(Algorithm algorithm) {
  if (algorithm == Algorithm::eddsa) return nullptr;
  const std::string_view bits = name_of(algorithm).substr(2);
  if (bits == "256") return EVP_sha256();
  return bits == "384" ? EVP_sha384() : EVP_sha512();
}

EVP_PKEY* generate(Algorithm algorithm) {
  if (algorithm == Algorithm::eddsa) return EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519");
  if (family_of(algorithm) == "ES") return EVP_EC_gen(curve_of(algorithm));
  return EVP_RSA_gen(2048);
}

std::string number_param(EVP_PKEY* key, const char* name, int size) {
  BIGNUM* number = nullptr;
  TOCSIN_ASSERT(EVP_PKEY_get_bn_param(key, name, &number) == 1);
  std::string bytes(static_cast<std::size_t>(size == 0 ? BN_num_bytes(number) : size), '\0');
  BN_bn2binpad(number, reinterpret_cast<unsigned char*>(bytes.data()),
               static_cast<int>(bytes.size()));
  BN_free(number);
  return base64url_encode(bytes);
}

std::string read_all(BIO* bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  return {data, static_cast<std::size_t>(size)};
}

// ECDSA's numbers out of DER.
std::string raw_signature(std::string_view der, int size) {
  const auto* at = reinterpret_cast<const unsigned char*>(der.data());
  const std::unique_ptr<ECDSA_SIG, FreeWith<ECDSA_SIG_free>> both(
      d2i_ECDSA_SIG(nullptr, &at, static_cast<long>(der.size())));
  std::string raw(2 * static_cast<std::size_t>(size), '\0');
  auto* out = reinterpret_cast<unsigned char*>(raw.data());
  BN_bn2binpad(ECDSA_SIG_get0_r(both.get()), out, size);
  BN_bn2binpad(ECDSA_SIG_get0_s(both.get()), out + size, size);
  return raw;
}

}  // namespace

TokenMaker::TokenMaker(Algorithm algorithm, std::string id)
    : algorithm_(algorithm), id_(std::move(id)) {
  if (is_symmetric(algorithm)) {
    static int made = 0;
    secret_ = "a secret of the tests, number " + std::to_string(++made);
    secret_.resize(64, '.');
  } else {
    key_.reset(generate(algorithm), EVP_PKEY_free);
    TOCSIN_ASSERT(key_ != nullptr);
  }
}

VerificationKey TokenMaker::key() const {
  return is_symmetric(algorithm_) ? VerificationKey::from_secret(algorithm_, secret_, id_).value()
                                  : VerificationKey::from_public_key(algorithm_, key_, id_).value();
}

std::string TokenMaker::public_pem() const {
  const std::unique_ptr<BIO, FreeWith<BIO_free>> bio(BIO_new(BIO_s_mem()));
  PEM_write_bio_PUBKEY(bio.get(), key_.get());
  return read_all(bio.get());
}

std::string TokenMaker::private_pem() const {
  const std::unique_ptr<BIO, FreeWith<BIO_free>> bio(BIO_new(BIO_s_mem()));
  PEM_write_bio_PrivateKey(bio.get(), key_.get(), nullptr, nullptr, 0, nullptr, nullptr);
  return read_all(bio.get());
}

std::string TokenMaker::jwk() const {
  std::string jwk = "{";
  const auto add = [&](std::string_view name, std::string_view value) {
    if (jwk.size() > 1) jwk += ',';
    jwk.append("\"").append(name).append("\":\"").append(value).append("\"");
  };
  if (!id_.empty()) add("kid", id_);
  add("alg", name_of(algorithm_));
  if (is_symmetric(algorithm_)) {
    add("kty", "oct");
    add("k", base64url_encode(secret_));
  } else if (algorithm_ == Algorithm::eddsa) {
    std::string raw(32, '\0');
    std::size_t size = raw.size();
    EVP_PKEY_get_raw_public_key(key_.get(), reinterpret_cast<unsigned char*>(raw.data()), &size);
    add("kty", "OKP");
    add("crv", "Ed25519");
    add("x", base64url_encode(raw));
  } else if (family_of(algorithm_) == "ES") {
    const int size = number_size(algorithm_);
    add("kty", "EC");
    add("crv", curve_of(algorithm_));
    add("x", number_param(key_.get(), OSSL_PKEY_PARAM_EC_PUB_X, size));
    add("y", number_param(key_.get(), OSSL_PKEY_PARAM_EC_PUB_Y, size));
  } else {
    add("kty", "RSA");
    add("n", number_param(key_.get(), OSSL_PKEY_PARAM_RSA_N, 0));
    add("e", number_param(key_.get(), OSSL_PKEY_PARAM_RSA_E, 0));
  }
  return jwk + "}";
}

std::string TokenMaker::token(std::string_view payload) const {
  std::string header = "{\"alg\":\"" + std::string(name_of(algorithm_)) + "\",\"typ\":\"JWT\"";
  if (!id_.empty()) header += ",\"kid\":\"" + id_ + '"';
  return token_with(header + "}", payload);
}

std::string TokenMaker::token_with(std::string_view header, std::string_view payload) const {
  const std::string message = base64url_encode(header) + '.' + base64url_encode(payload);
  return message + '.' + base64url_encode(sign(message));
}

std::string TokenMaker::sign(std::string_view message) const {
  if (is_symmetric(algorithm_)) {
    const Hash hash = algorithm_ == Algorithm::hs256   ? Hash::sha256
                      : algorithm_ == Algorithm::hs384 ? Hash::sha384
                                                       : Hash::sha512;
    std::array<unsigned char, 64> value{};
    return std::string(Hmac(hash, secret_).sign(message, value));
  }
  const std::unique_ptr<EVP_MD_CTX, FreeWith<EVP_MD_CTX_free>> context(EVP_MD_CTX_new());
  EVP_PKEY_CTX* options = nullptr;
  EVP_DigestSignInit(context.get(), &options, digest_of(algorithm_), nullptr, key_.get());
  if (family_of(algorithm_) == "PS") {
    EVP_PKEY_CTX_set_rsa_padding(options, RSA_PKCS1_PSS_PADDING);
    EVP_PKEY_CTX_set_rsa_pss_saltlen(options, RSA_PSS_SALTLEN_DIGEST);
  }
  std::string value(512, '\0');
  std::size_t size = value.size();
  const int done =
      EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(value.data()), &size,
                     reinterpret_cast<const unsigned char*>(message.data()), message.size());
  TOCSIN_ASSERT(done == 1);
  value.resize(size);
  return family_of(algorithm_) == "ES" ? raw_signature(value, number_size(algorithm_)) : value;
}

std::string jwks_of(std::initializer_list<const TokenMaker*> makers) {
  std::string jwks;
  for (const TokenMaker* maker : makers) {
    jwks += jwks.empty() ? "" : ",";
    jwks += maker->jwk();
  }
  return "{\"keys\":[" + jwks + "]}";
}

bool is_showable_reason(std::string_view reason) {
  return !reason.empty() && reason.size() < 400 &&
         std::ranges::all_of(
             reason, [](char c) { return c >= ' ' && c <= '~' && c != '"' && c != '\\'; });
}

}  // namespace tocsin::net
