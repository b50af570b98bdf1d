#include "net/jose/verification_key.h"

#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <openssl/rsa.h>

#include <array>
#include <utility>

#include "net/jose/free_with.h"
#include "proto/assert.h"
#include "proto/text/wipe.h"

namespace tocsin::net {
namespace {

enum class Family : std::uint8_t { hmac, rsa, rsa_pss, ecdsa, eddsa };

struct Scheme {
  std::string_view name;
  Family family;
  Hash hash = Hash::sha256;     // of EdDSA: none
  std::size_t number = 0;       // bytes of each of the two numbers of an ECDSA signature
  const char* curve = nullptr;  // as OpenSSL calls it
};

// In the order of Algorithm.
constexpr std::array<Scheme, 13> kSchemes = {{
    {.name = "HS256", .family = Family::hmac},
    {.name = "HS384", .family = Family::hmac, .hash = Hash::sha384},
    {.name = "HS512", .family = Family::hmac, .hash = Hash::sha512},
    {.name = "RS256", .family = Family::rsa},
    {.name = "RS384", .family = Family::rsa, .hash = Hash::sha384},
    {.name = "RS512", .family = Family::rsa, .hash = Hash::sha512},
    {.name = "PS256", .family = Family::rsa_pss},
    {.name = "PS384", .family = Family::rsa_pss, .hash = Hash::sha384},
    {.name = "PS512", .family = Family::rsa_pss, .hash = Hash::sha512},
    {.name = "ES256", .family = Family::ecdsa, .number = 32, .curve = "prime256v1"},
    {.name = "ES384",
     .family = Family::ecdsa,
     .hash = Hash::sha384,
     .number = 48,
     .curve = "secp384r1"},
    {.name = "ES512",
     .family = Family::ecdsa,
     .hash = Hash::sha512,
     .number = 66,
     .curve = "secp521r1"},
    {.name = "EdDSA", .family = Family::eddsa},
}};

const Scheme& scheme_of(Algorithm algorithm) {
  return kSchemes[static_cast<std::size_t>(algorithm)];
}

// Looked up once: OpenSSL 3 would look it up for every signature.
const EVP_MD* evp_of(Hash hash) {
  static const std::array<EVP_MD*, 3> kHashes = {EVP_MD_fetch(nullptr, "SHA256", nullptr),
                                                 EVP_MD_fetch(nullptr, "SHA384", nullptr),
                                                 EVP_MD_fetch(nullptr, "SHA512", nullptr)};
  return kHashes[static_cast<std::size_t>(hash)];
}

const EVP_MD* evp_of(const Scheme& scheme) {
  return scheme.family == Family::eddsa ? nullptr : evp_of(scheme.hash);
}

const unsigned char* bytes_of(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

// Both numbers of a JWS (RFC 7518, 3.4) as OpenSSL wants them, in DER; empty: they are none.
std::string der_of(std::string_view signature, std::size_t number) {
  if (signature.size() != 2 * number) return {};
  const std::unique_ptr<ECDSA_SIG, FreeWith<ECDSA_SIG_free>> both(ECDSA_SIG_new());
  const int size = static_cast<int>(number);
  BIGNUM* r = BN_bin2bn(bytes_of(signature), size, nullptr);
  BIGNUM* s = BN_bin2bn(bytes_of(signature) + number, size, nullptr);
  const int taken = ECDSA_SIG_set0(both.get(), r, s);
  TOCSIN_ASSERT(taken == 1);  // both are there; it owns them now
  std::string der(static_cast<std::size_t>(i2d_ECDSA_SIG(both.get(), nullptr)), '\0');
  auto* out = reinterpret_cast<unsigned char*>(der.data());
  i2d_ECDSA_SIG(both.get(), &out);
  return der;
}

bool verify_public(EVP_PKEY* key, const Scheme& scheme, std::string_view message,
                   std::string_view signature) {
  std::string der;
  if (scheme.family == Family::ecdsa) {
    der = der_of(signature, scheme.number);
    if (der.empty()) return false;
    signature = der;
  }
  const std::unique_ptr<EVP_MD_CTX, FreeWith<EVP_MD_CTX_free>> context(EVP_MD_CTX_new());
  EVP_PKEY_CTX* options = nullptr;  // the context's
  bool good = context != nullptr && EVP_DigestVerifyInit(context.get(), &options, evp_of(scheme),
                                                         nullptr, key) == 1;
  if (good && scheme.family == Family::rsa_pss) {
    // RFC 7518, 3.5: MGF1 with the same hash, salt as long as the hash.
    good = EVP_PKEY_CTX_set_rsa_padding(options, RSA_PKCS1_PSS_PADDING) == 1 &&
           EVP_PKEY_CTX_set_rsa_pss_saltlen(options, RSA_PSS_SALTLEN_DIGEST) == 1;
  }
  good = good && EVP_DigestVerify(context.get(), bytes_of(signature), signature.size(),
                                  bytes_of(message), message.size()) == 1;
  if (!good) ERR_clear_error();
  proto::wipe(der);
  return good;
}

// Why a public key does not fit an algorithm, in words; empty: it does.
std::string misfit(EVP_PKEY* key, const Scheme& scheme) {
  const std::string name(scheme.name);
  if (scheme.family == Family::rsa || scheme.family == Family::rsa_pss) {
    if (EVP_PKEY_is_a(key, "RSA") != 1) return name + " wants an RSA key";
    const int bits = EVP_PKEY_get_bits(key);
    if (bits < VerificationKey::kMinRsaBits || bits > VerificationKey::kMaxRsaBits) {
      return "an RSA key of " + std::to_string(bits) + " bits; it needs " +
             std::to_string(VerificationKey::kMinRsaBits) + " to " +
             std::to_string(VerificationKey::kMaxRsaBits);
    }
  } else if (scheme.family == Family::ecdsa) {
    std::array<char, 64> curve{};
    const bool is_curve = EVP_PKEY_is_a(key, "EC") == 1 &&
                          EVP_PKEY_get_utf8_string_param(key, OSSL_PKEY_PARAM_GROUP_NAME,
                                                         curve.data(), curve.size(), nullptr) == 1;
    if (!is_curve || std::string_view(curve.data()) != scheme.curve) {
      return name + " wants an EC key of the curve " + scheme.curve;
    }
  } else if (EVP_PKEY_is_a(key, "ED25519") != 1) {
    return name + " wants an Ed25519 key";
  }
  return {};
}

// Of the key's SubjectPublicKeyInfo, or of what the secret signs.
std::uint64_t fingerprint_of(const std::variant<Hmac, std::shared_ptr<evp_pkey_st>>& material) {
  if (const Hmac* secret = std::get_if<Hmac>(&material)) return secret->fingerprint();
  EVP_PKEY* key = std::get<std::shared_ptr<evp_pkey_st>>(material).get();
  std::string der(static_cast<std::size_t>(std::max(i2d_PUBKEY(key, nullptr), 0)), '\0');
  auto* out = reinterpret_cast<unsigned char*>(der.data());
  i2d_PUBKEY(key, &out);
  const Digest digest = sha256(der);
  return first_bits({reinterpret_cast<const char*>(digest.data()), digest.size()});
}

}  // namespace

std::string_view name_of(Algorithm algorithm) {
  return scheme_of(algorithm).name;
}

std::optional<Algorithm> algorithm_of(std::string_view name) {
  if (name == "Ed25519") return Algorithm::eddsa;
  for (std::size_t i = 0; i < kSchemes.size(); ++i) {
    if (kSchemes[i].name == name) return static_cast<Algorithm>(i);
  }
  return std::nullopt;
}

Hash hash_of(Algorithm algorithm) {
  return scheme_of(algorithm).hash;
}

const evp_md_st* evp_hash_of(Algorithm algorithm) {
  return evp_of(scheme_of(algorithm));
}

bool is_symmetric(Algorithm algorithm) {
  return scheme_of(algorithm).family == Family::hmac;
}

VerificationKey::VerificationKey(Algorithm algorithm, Material material, std::string id)
    : algorithm_(algorithm),
      material_(std::move(material)),
      id_(std::move(id)),
      fingerprint_(fingerprint_of(material_)) {
  TOCSIN_ASSERT(is_symmetric(algorithm) == std::holds_alternative<Hmac>(material_));
}

std::expected<VerificationKey, std::string> VerificationKey::from_secret(Algorithm algorithm,
                                                                         std::string_view secret,
                                                                         std::string id) {
  const Scheme& scheme = scheme_of(algorithm);
  if (scheme.family != Family::hmac) {
    return std::unexpected(std::string(scheme.name) + " wants a public key, not a secret");
  }
  if (secret.size() < size_of(scheme.hash)) {
    return std::unexpected("a secret of " + std::to_string(secret.size()) + " bytes; " +
                           std::string(scheme.name) + " needs at least " +
                           std::to_string(size_of(scheme.hash)));
  }
  return VerificationKey(algorithm, Hmac(scheme.hash, secret), std::move(id));
}

std::expected<VerificationKey, std::string> VerificationKey::from_public_key(
    Algorithm algorithm, std::shared_ptr<evp_pkey_st> key, std::string id) {
  const Scheme& scheme = scheme_of(algorithm);
  if (scheme.family == Family::hmac) {
    return std::unexpected(std::string(scheme.name) +
                           " wants a secret, and a public key is none: everybody has it");
  }
  TOCSIN_ASSERT(key != nullptr);
  if (std::string fault = misfit(key.get(), scheme); !fault.empty()) {
    return std::unexpected(std::move(fault));
  }
  return VerificationKey(algorithm, std::move(key), std::move(id));
}

bool VerificationKey::verify(std::string_view message, std::string_view signature) const {
  if (const Hmac* secret = std::get_if<Hmac>(&material_)) {
    return secret->verify(message, signature);
  }
  return verify_public(std::get<std::shared_ptr<evp_pkey_st>>(material_).get(),
                       scheme_of(algorithm_), message, signature);
}

}  // namespace tocsin::net
