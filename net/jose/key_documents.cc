#include "net/jose/key_documents.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <memory>
#include <utility>

#include "net/jose/free_with.h"
#include "proto/assert.h"

namespace tocsin::net {
namespace {

// One block of PEM, as OpenSSL takes it apart. What it holds may be secret.
class PemBlock {
 public:
  static std::unique_ptr<PemBlock> read(BIO* from) {
    auto block = std::make_unique<PemBlock>();
    const bool read =
        PEM_read_bio(from, &block->name_, &block->header_, &block->bytes_, &block->size_) == 1;
    return read ? std::move(block) : nullptr;
  }
  PemBlock() = default;
  ~PemBlock() {
    OPENSSL_free(name_);
    OPENSSL_free(header_);
    OPENSSL_clear_free(bytes_, static_cast<std::size_t>(size_));
  }
  PemBlock(const PemBlock&) = delete;
  PemBlock& operator=(const PemBlock&) = delete;

  [[nodiscard]] std::string_view name() const { return name_; }
  // Null if it is neither a public key nor a certificate with one.
  [[nodiscard]] std::shared_ptr<EVP_PKEY> key() const {
    const unsigned char* at = bytes_;
    EVP_PKEY* found = nullptr;
    if (name() == PEM_STRING_PUBLIC) {
      found = d2i_PUBKEY(nullptr, &at, size_);
    } else if (name() == PEM_STRING_X509) {
      const std::unique_ptr<X509, FreeWith<X509_free>> certificate(d2i_X509(nullptr, &at, size_));
      found = certificate == nullptr ? nullptr : X509_get_pubkey(certificate.get());
    }
    return found == nullptr ? nullptr : std::shared_ptr<EVP_PKEY>(found, EVP_PKEY_free);
  }

 private:
  char* name_ = nullptr;
  char* header_ = nullptr;
  unsigned char* bytes_ = nullptr;
  long size_ = 0;
};

std::expected<VerificationKey, std::string> read_block(const PemBlock& block,
                                                       std::optional<Algorithm> algorithm,
                                                       const std::string& id) {
  if (block.name().contains("PRIVATE KEY")) {
    return std::unexpected("a private key; the hub needs the public one, and only that");
  }
  const auto key = block.key();
  ERR_clear_error();
  if (key == nullptr) {
    return std::unexpected("a block '" + std::string(block.name().substr(0, 32)) +
                           "' that is no PUBLIC KEY or CERTIFICATE which can be read");
  }
  if (!algorithm) algorithm = usual_algorithm(key.get());
  if (!algorithm) return std::unexpected("a key of a type that signs no tokens");
  return VerificationKey::from_public_key(*algorithm, key, id);
}

}  // namespace

std::string_view secret_of(std::string_view text) {
  if (text.ends_with('\n')) text.remove_suffix(1);
  if (text.ends_with('\r')) text.remove_suffix(1);
  return text;
}

std::optional<Algorithm> usual_algorithm(const EVP_PKEY* key) {
  if (EVP_PKEY_is_a(key, "RSA") == 1) return Algorithm::rs256;
  if (EVP_PKEY_is_a(key, "ED25519") == 1) return Algorithm::eddsa;
  if (EVP_PKEY_is_a(key, "EC") != 1) return std::nullopt;
  switch (EVP_PKEY_get_bits(key)) {
    case 256:
      return Algorithm::es256;
    case 384:
      return Algorithm::es384;
    case 521:
      return Algorithm::es512;
    default:
      return std::nullopt;
  }
}

LoadedKeys keys_of_secret(std::string_view text, std::optional<Algorithm> algorithm,
                          std::string id) {
  text = secret_of(text);
  // A classic: the other side's public key, taken for a secret.
  if (text.starts_with("-----BEGIN")) {
    return std::unexpected("PEM, which is no secret: name it as a public key");
  }
  auto key =
      VerificationKey::from_secret(algorithm.value_or(Algorithm::hs256), text, std::move(id));
  if (!key) return std::unexpected(std::move(key.error()));
  std::vector<VerificationKey> keys;
  keys.push_back(*std::move(key));
  return keys;
}

LoadedKeys keys_of_pem(std::string_view text, std::optional<Algorithm> algorithm, std::string id) {
  if (text.empty()) return std::unexpected("it is empty");
  if (text.size() > kMaxKeyDocument) return std::unexpected("it is too large");
  const std::unique_ptr<BIO, FreeWith<BIO_free>> from(
      BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
  TOCSIN_ASSERT(from != nullptr);
  std::vector<VerificationKey> keys;
  while (const auto block = PemBlock::read(from.get())) {
    auto key = read_block(*block, algorithm, id);
    if (!key) return std::unexpected("it has " + key.error());
    if (keys.size() == kMaxKeysOfDocument) return std::unexpected("it has too many keys");
    keys.push_back(*std::move(key));
  }
  ERR_clear_error();  // the end of the text is an error to OpenSSL
  if (keys.empty()) return std::unexpected("it has no key in PEM");
  return keys;
}

}  // namespace tocsin::net
