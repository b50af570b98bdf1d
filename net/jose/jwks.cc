#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>

#include <algorithm>
#include <array>
#include <memory>
#include <utility>

#include "net/jose/base64url.h"
#include "net/jose/free_with.h"
#include "net/jose/jws.h"
#include "net/jose/key_documents.h"
#include "net/jose/secret.h"
#include "net/jose/strict_json.h"

namespace tocsin::net {
namespace {

using simdjson::dom::array;
using simdjson::dom::element;
using simdjson::dom::object;

using Builder = std::unique_ptr<OSSL_PARAM_BLD, FreeWith<OSSL_PARAM_BLD_free>>;
using Number = std::unique_ptr<BIGNUM, FreeWith<BN_free>>;

struct Curve {
  std::string_view name;  // `crv`
  const char* openssl;
  std::size_t number;  // bytes of a coordinate (RFC 7518, 6.2.1.2)
  Algorithm algorithm;
};
constexpr std::array<Curve, 3> kCurves = {{
    {.name = "P-256", .openssl = "prime256v1", .number = 32, .algorithm = Algorithm::es256},
    {.name = "P-384", .openssl = "secp384r1", .number = 48, .algorithm = Algorithm::es384},
    {.name = "P-521", .openssl = "secp521r1", .number = 66, .algorithm = Algorithm::es512},
}};

// What only a private key has (RFC 7518, 6.2.2 and 6.3.2; RFC 8037, 2).
constexpr std::array<std::string_view, 7> kPrivate = {"d", "p", "q", "dp", "dq", "qi", "oth"};

// A text member, or empty.
std::string_view text_of(const object& jwk, std::string_view name) {
  std::string_view text;
  return jwk.at_key(name).get(text) == simdjson::SUCCESS ? text : std::string_view();
}
// A member in base64url, or empty.
std::string bytes_of(const object& jwk, std::string_view name) {
  return base64url_decode(text_of(jwk, name)).value_or("");
}
bool has(const object& jwk, std::string_view name) {
  return jwk.at_key(name).error() == simdjson::SUCCESS;
}

Number number_of(std::string_view bytes) {
  return Number(BN_bin2bn(reinterpret_cast<const unsigned char*>(bytes.data()),
                          static_cast<int>(bytes.size()), nullptr));
}

// Null if the parameters make no key of the type.
std::shared_ptr<EVP_PKEY> make_key(const char* type, OSSL_PARAM_BLD* builder) {
  const std::unique_ptr<OSSL_PARAM, FreeWith<OSSL_PARAM_free>> params(
      OSSL_PARAM_BLD_to_param(builder));
  const std::unique_ptr<EVP_PKEY_CTX, FreeWith<EVP_PKEY_CTX_free>> context(
      EVP_PKEY_CTX_new_from_name(nullptr, type, nullptr));
  EVP_PKEY* key = nullptr;
  const bool made = params != nullptr && context != nullptr &&
                    EVP_PKEY_fromdata_init(context.get()) == 1 &&
                    EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_PUBLIC_KEY, params.get()) == 1;
  ERR_clear_error();
  return made ? std::shared_ptr<EVP_PKEY>(key, EVP_PKEY_free) : nullptr;
}

std::shared_ptr<EVP_PKEY> rsa_key(const object& jwk) {
  const std::string n = bytes_of(jwk, "n");
  const std::string e = bytes_of(jwk, "e");
  if (n.empty() || e.empty() || n.size() * 8 > VerificationKey::kMaxRsaBits || e.size() > 8) {
    return nullptr;
  }
  const auto modulus = number_of(n);
  const auto exponent = number_of(e);
  const Builder builder(OSSL_PARAM_BLD_new());
  OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_N, modulus.get());
  OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_E, exponent.get());
  // Of 1 every signature would be its own message.
  if (BN_is_odd(modulus.get()) == 0 || BN_is_odd(exponent.get()) == 0 ||
      BN_is_one(exponent.get()) == 1) {
    return nullptr;
  }
  return make_key("RSA", builder.get());
}

std::shared_ptr<EVP_PKEY> ec_key(const object& jwk, const Curve& curve) {
  const std::string x = bytes_of(jwk, "x");
  const std::string y = bytes_of(jwk, "y");
  if (x.size() != curve.number || y.size() != curve.number) return nullptr;
  const std::string point = '\x04' + x + y;
  const Builder builder(OSSL_PARAM_BLD_new());
  OSSL_PARAM_BLD_push_utf8_string(builder.get(), OSSL_PKEY_PARAM_GROUP_NAME, curve.openssl, 0);
  OSSL_PARAM_BLD_push_octet_string(builder.get(), OSSL_PKEY_PARAM_PUB_KEY, point.data(),
                                   point.size());
  return make_key("EC", builder.get());  // of a point that is on the curve
}

std::shared_ptr<EVP_PKEY> ed25519_key(const object& jwk) {
  const std::string x = bytes_of(jwk, "x");
  if (text_of(jwk, "crv") != "Ed25519" || x.size() != 32) return nullptr;
  EVP_PKEY* key = EVP_PKEY_new_raw_public_key_ex(
      nullptr, "ED25519", nullptr, reinterpret_cast<const unsigned char*>(x.data()), x.size());
  return key == nullptr ? nullptr : std::shared_ptr<EVP_PKEY>(key, EVP_PKEY_free);
}

// Whether it is for verifying signatures, as far as it says (RFC 7517, 4.2 and 4.3).
bool is_for_signatures(const object& jwk) {
  if (has(jwk, "use") && text_of(jwk, "use") != "sig") return false;
  array operations;
  if (!has(jwk, "key_ops")) return true;
  if (jwk.at_key("key_ops").get(operations) != simdjson::SUCCESS) return false;
  for (const element operation : operations) {
    std::string_view name;
    if (operation.get(name) == simdjson::SUCCESS && name == "verify") return true;
  }
  return false;
}

// An id as a line for people may have it.
std::string printable(std::string text) {
  std::ranges::replace_if(text, [](char c) { return c < ' ' || c > '~'; }, '?');
  return text;
}

// A key's material and the algorithm that its type has when nobody says which.
struct Usable {
  std::shared_ptr<EVP_PKEY> key;
  Algorithm algorithm;
};
Usable public_key(const object& jwk) {
  const std::string_view type = text_of(jwk, "kty");
  if (type == "RSA") return {.key = rsa_key(jwk), .algorithm = Algorithm::rs256};
  if (type == "OKP") return {.key = ed25519_key(jwk), .algorithm = Algorithm::eddsa};
  for (const Curve& curve : kCurves) {
    if (type == "EC" && text_of(jwk, "crv") == curve.name) {
      return {.key = ec_key(jwk, curve), .algorithm = curve.algorithm};
    }
  }
  return {.key = nullptr, .algorithm = Algorithm::rs256};
}

// The algorithms to try for a key, the first that fits counts. Empty: it says one that the hub does
// not know.
std::vector<Algorithm> candidates(const object& jwk, std::optional<Algorithm> wanted,
                                  Algorithm usual) {
  if (has(jwk, "alg")) {
    const auto own = algorithm_of(text_of(jwk, "alg"));
    return own ? std::vector{*own} : std::vector<Algorithm>();
  }
  if (wanted) return {*wanted, usual};
  return {usual};
}

void add_key(const object& jwk, std::optional<Algorithm> wanted,
             std::vector<VerificationKey>& keys, std::vector<std::string>& left_out) {
  const std::string id(text_of(jwk, "kid"));
  if (id.size() > kMaxKeyId || !is_for_signatures(jwk)) return;
  const bool is_secret = text_of(jwk, "kty") == "oct";
  const Usable usable =
      is_secret ? Usable{.key = nullptr, .algorithm = Algorithm::hs256} : public_key(jwk);
  if (!is_secret && usable.key == nullptr) return;
  const Secret secret(is_secret ? bytes_of(jwk, "k") : std::string());
  std::string fault;
  for (const Algorithm algorithm : candidates(jwk, wanted, usable.algorithm)) {
    auto key = is_secret ? VerificationKey::from_secret(algorithm, secret.view(), id)
                         : VerificationKey::from_public_key(algorithm, usable.key, id);
    if (!key) {
      fault = std::move(key.error());
      continue;
    }
    keys.push_back(*std::move(key));
    return;
  }
  if (fault.empty()) return;
  left_out.push_back((id.empty() ? "a key without kid" : "kid " + printable(id)) +
                     " is left out: " + fault);
}

}  // namespace

LoadedKeys keys_of_jwks(std::string_view text, JwksOrigin origin,
                        std::optional<Algorithm> algorithm, std::vector<std::string>* weak) {
  if (text.size() > kMaxKeyDocument) return std::unexpected("the JWKS is too large");
  const auto json = StrictJson::parse(text, "the JWKS");
  if (!json) return std::unexpected(json.error());
  array list;
  if (json->root().at_key("keys").get(list) != simdjson::SUCCESS) {
    return std::unexpected("the JWKS has no array 'keys'");
  }
  if (list.size() > kMaxKeysOfDocument) return std::unexpected("the JWKS has too many keys");
  std::vector<VerificationKey> keys;
  std::vector<std::string> left_out;
  for (const element item : list) {
    object jwk;
    if (item.get(jwk) != simdjson::SUCCESS) {
      return std::unexpected("the JWKS has a key that is no object");
    }
    if (std::ranges::any_of(kPrivate, [&](std::string_view name) { return has(jwk, name); })) {
      return std::unexpected(
          "the JWKS has a private key; the hub needs the public one, and only "
          "that");
    }
    if (origin == JwksOrigin::fetched && text_of(jwk, "kty") == "oct") {
      return std::unexpected("the JWKS has a secret (oct), which whoever fetches it knows");
    }
    add_key(jwk, algorithm, keys, left_out);
  }
  if (keys.empty()) {
    return std::unexpected("the JWKS has no key that the hub can verify with" +
                           (left_out.empty() ? "" : "; " + left_out.front()));
  }
  if (weak != nullptr) *weak = std::move(left_out);
  return keys;
}

}  // namespace tocsin::net
