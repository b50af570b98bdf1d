#include "net/jose/digest.h"

#include <cstring>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <sodium/utils.h>

#include <utility>

#include "net/jose/free_with.h"
#include "proto/assert.h"

namespace tocsin::net {
namespace {

struct HashName {
  const char* name;  // of OpenSSL
  std::size_t size;
};
HashName named(Hash hash) {
  switch (hash) {
    case Hash::sha256:
      return {.name = "SHA256", .size = 32};
    case Hash::sha384:
      return {.name = "SHA384", .size = 48};
    case Hash::sha512:
      break;
  }
  return {.name = "SHA512", .size = 64};
}

const unsigned char* bytes_of(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

}  // namespace

Digest sha256(std::string_view bytes) {
  // Looked up once: to find an algorithm takes OpenSSL 3 longer than to hash a token.
  static EVP_MD* const kAlgorithm = EVP_MD_fetch(nullptr, named(Hash::sha256).name, nullptr);
  Digest digest{};
  unsigned int size = 0;
  const int done =
      EVP_Digest(bytes.data(), bytes.size(), digest.data(), &size, kAlgorithm, nullptr);
  TOCSIN_ASSERT(done == 1 && size == digest.size());
  return digest;
}

std::uint64_t first_bits(std::string_view digest) {
  std::uint64_t bits = 0;
  TOCSIN_ASSERT(digest.size() >= sizeof(bits));
  std::memcpy(&bits, digest.data(), sizeof(bits));
  return bits;
}

bool same_bytes(std::string_view a, std::string_view b) {
  return a.size() == b.size() && sodium_memcmp(a.data(), b.data(), a.size()) == 0;
}

bool same_bytes(const Digest& a, const Digest& b) {
  return sodium_memcmp(a.data(), b.data(), a.size()) == 0;
}

std::size_t size_of(Hash hash) {
  return named(hash).size;
}

Hmac::Hmac(Hash hash, std::string_view key) : hash_(hash) {
  TOCSIN_ASSERT(!key.empty());
  static EVP_MAC* const kAlgorithm = EVP_MAC_fetch(nullptr, "HMAC", nullptr);
  keyed_.reset(EVP_MAC_CTX_new(kAlgorithm), EVP_MAC_CTX_free);
  const HashName name = named(hash);
  const OSSL_PARAM params[] = {
      OSSL_PARAM_construct_utf8_string("digest", const_cast<char*>(name.name), 0),
      OSSL_PARAM_construct_end()};
  const int done = EVP_MAC_init(keyed_.get(), bytes_of(key), key.size(), params);
  TOCSIN_ASSERT(done == 1);
}

std::string_view Hmac::sign(std::string_view message, std::array<unsigned char, 64>& value) const {
  const std::unique_ptr<EVP_MAC_CTX, FreeWith<EVP_MAC_CTX_free>> context(
      EVP_MAC_CTX_dup(keyed_.get()));
  std::size_t size = 0;
  const bool done = context != nullptr &&
                    EVP_MAC_update(context.get(), bytes_of(message), message.size()) == 1 &&
                    EVP_MAC_final(context.get(), value.data(), &size, value.size()) == 1;
  TOCSIN_ASSERT(done && size == size_of(hash_));
  return {reinterpret_cast<const char*>(value.data()), size};
}

std::uint64_t Hmac::fingerprint() const {
  std::array<unsigned char, 64> value{};
  return first_bits(sign("which key is it", value));
}

bool Hmac::verify(std::string_view message, std::string_view value) const {
  std::array<unsigned char, 64> own{};
  const bool same = same_bytes(sign(message, own), value);
  sodium_memzero(own.data(), own.size());
  return same;
}

}  // namespace tocsin::net
