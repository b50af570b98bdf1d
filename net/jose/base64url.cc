#include "net/jose/base64url.h"

#include <sodium/utils.h>

#include "proto/assert.h"
#include "proto/text/ascii.h"

namespace tocsin::net {

std::optional<std::string> base64url_decode(std::string_view text) {
  // libsodium takes some bytes beyond ASCII for characters of the alphabet.
  if (proto::ascii_size(text) != text.size()) return std::nullopt;
  std::string bytes(text.size() / 4 * 3 + 2, '\0');
  std::size_t size = 0;
  const char* end = nullptr;
  const int failed = sodium_base642bin(reinterpret_cast<unsigned char*>(bytes.data()), bytes.size(),
                                       text.data(), text.size(), nullptr, &size, &end,
                                       sodium_base64_VARIANT_URLSAFE_NO_PADDING);
  if (failed != 0 || end != text.data() + text.size()) return std::nullopt;
  bytes.resize(size);
  return bytes;
}

std::string base64url_encode(std::string_view bytes) {
  constexpr int kVariant = sodium_base64_VARIANT_URLSAFE_NO_PADDING;
  std::string text(sodium_base64_encoded_len(bytes.size(), kVariant), '\0');
  const auto* from = reinterpret_cast<const unsigned char*>(bytes.data());
  const char* done = sodium_bin2base64(text.data(), text.size(), from, bytes.size(), kVariant);
  TOCSIN_ASSERT(done != nullptr);
  text.pop_back();  // the zero at its end
  return text;
}

}  // namespace tocsin::net
