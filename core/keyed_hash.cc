#include "core/keyed_hash.h"

#include <sodium/crypto_shorthash.h>

#include <cstdint>
#include <cstring>

namespace tocsin::core {

std::size_t keyed_hash(std::string_view text, const HashKey& key) {
  static_assert(crypto_shorthash_KEYBYTES == sizeof(HashKey));
  static_assert(crypto_shorthash_BYTES == sizeof(std::uint64_t));
  std::array<unsigned char, crypto_shorthash_BYTES> out;
  crypto_shorthash(out.data(), reinterpret_cast<const unsigned char*>(text.data()), text.size(),
                   key.data());
  std::uint64_t hash = 0;
  std::memcpy(&hash, out.data(), sizeof(hash));
  return hash;
}

}  // namespace tocsin::core
