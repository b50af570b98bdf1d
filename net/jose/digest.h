// SHA-256 and HMAC (OpenSSL 3). Safe to use from any thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

struct evp_mac_ctx_st;

namespace tocsin::net {

using Digest = std::array<unsigned char, 32>;

[[nodiscard]] Digest sha256(std::string_view bytes);
// The first eight bytes of a digest, or of another text of so many: for what is told apart by it.
[[nodiscard]] std::uint64_t first_bits(std::string_view digest);

// Whether both are the same, in a time that does not tell where they differ. Bytes of different
// lengths are not.
[[nodiscard]] bool same_bytes(std::string_view a, std::string_view b);
[[nodiscard]] bool same_bytes(const Digest& a, const Digest& b);

enum class Hash : std::uint8_t { sha256, sha384, sha512 };

// Bytes of a hash's value.
[[nodiscard]] std::size_t size_of(Hash hash);

// HMAC (RFC 2104) with one key, which OpenSSL holds and wipes. Immutable. A copy is the same key.
class Hmac {
 public:
  // REQUIRES: there is a key. What is too short to be one is for the caller to say.
  Hmac(Hash hash, std::string_view key);

  // `value` holds at least size_of(hash()) bytes; returns those that were written.
  [[nodiscard]] std::string_view sign(std::string_view message,
                                      std::array<unsigned char, 64>& value) const;
  // In constant time, whatever `value` is. One of another length is wrong.
  [[nodiscard]] bool verify(std::string_view message, std::string_view value) const;

  [[nodiscard]] Hash hash() const { return hash_; }
  // Tells the key from others, in 64 bits that say nothing of it.
  [[nodiscard]] std::uint64_t fingerprint() const;

 private:
  Hash hash_;
  std::shared_ptr<evp_mac_ctx_st> keyed_;  // never used itself, only duplicated
};

}  // namespace tocsin::net
