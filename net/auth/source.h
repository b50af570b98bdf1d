// Principal::source: how somebody's right was obtained, in 64 bits of a hash. Whatever of the
// configuration made a credential good goes in, so that a credential that would be refused now has
// a source that no Authority of now could give.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

#include "net/jose/digest.h"

namespace tocsin::net {

// Of what these texts say, each for itself. Never 0.
[[nodiscard]] inline std::uint64_t source_of(std::initializer_list<std::string_view> texts) {
  std::string all;
  for (const std::string_view text : texts) {
    all.append(std::to_string(text.size())).append(":").append(text);
  }
  const Digest digest = sha256(all);
  return first_bits({reinterpret_cast<const char*>(digest.data()), digest.size()}) | 1U;
}

}  // namespace tocsin::net
