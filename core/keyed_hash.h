// A hash that who chooses the names cannot aim: SipHash-2-4 with a secret key (libsodium).
//
// Topic names and event ids come from clients; with a known hash they could be chosen to fall into
// one bucket, and every lookup under the hub's lock would become a walk.
#pragma once

#include <array>
#include <cstddef>
#include <string_view>

namespace tocsin::core {

// Random at each start; all zero is good enough for tests.
using HashKey = std::array<unsigned char, 16>;

[[nodiscard]] std::size_t keyed_hash(std::string_view text, const HashKey& key);

}  // namespace tocsin::core
