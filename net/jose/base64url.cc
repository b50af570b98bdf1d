#include "net/jose/base64url.h"

#include <sodium/utils.h>

#include <algorithm>

#include "proto/assert.h"

namespace tocsin::net {
namespace {

// libsodium takes some bytes beyond ASCII for characters of the alphabet.
bool is_ascii(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

}  // namespace

std::optional<std::string> base64url_decode(std::string_view text) {
  if (!is_ascii(text)) return std::nullopt;
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
