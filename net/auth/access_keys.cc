#include "net/auth/access_keys.h"

#include <sodium/core.h>
#include <sodium/crypto_shorthash_siphash24.h>
#include <sodium/randombytes.h>
#include <sodium/utils.h>

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <utility>

#include "net/auth/source.h"
#include "proto/assert.h"

namespace tocsin::net {
namespace {

constexpr std::string_view kAlphabet = "abcdefghijklmnopqrstuvwxyz234567";  // RFC 4648, 6
constexpr std::size_t kRandom = 40;
constexpr std::size_t kChecksum = 7;
constexpr std::string_view kHashPrefix = "sha256:";

// Of everything before it: its characters are the last five bits of the digest's first bytes.
std::array<char, kChecksum> checksum_of(std::string_view before) {
  const Digest digest = sha256(before);
  std::array<char, kChecksum> checksum{};
  for (std::size_t i = 0; i < kChecksum; ++i) checksum[i] = kAlphabet[digest[i] & 31U];
  return checksum;
}

// What is wrong with a key's form, in words that have nothing of it; empty: nothing.
std::string_view fault_of(std::string_view key) {
  if (key.size() != kAccessKeySize) return "the key is cut off, or has more than a key";
  const auto is_of_key = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '2' && c <= '7'); };
  if (!std::ranges::all_of(key.substr(kAccessKeyPrefix.size()), is_of_key)) {
    return "the key has a character that keys do not have";
  }
  const auto checksum = checksum_of(key.substr(0, kAccessKeySize - kChecksum));
  if (!key.ends_with(std::string_view(checksum.data(), checksum.size()))) {
    return "the key has a typo: its checksum is wrong";
  }
  return {};
}

std::optional<Digest> digest_of_hex(std::string_view hex) {
  Digest digest{};
  std::size_t size = 0;
  const char* end = nullptr;
  const int failed =
      sodium_hex2bin(digest.data(), digest.size(), hex.data(), hex.size(), nullptr, &size, &end);
  if (failed != 0 || size != digest.size() || end != hex.data() + hex.size()) return std::nullopt;
  return digest;
}

}  // namespace

Secret make_access_key() {
  TOCSIN_ASSERT(sodium_init() >= 0);  // also where it was done before
  std::array<unsigned char, kRandom> random{};
  randombytes_buf(random.data(), random.size());
  std::string key(kAccessKeyPrefix);
  key.reserve(kAccessKeySize);  // it does not move, and leaves no copy behind
  for (const unsigned char byte : random) key += kAlphabet[byte & 31U];
  sodium_memzero(random.data(), random.size());
  const auto checksum = checksum_of(key);
  key.append(checksum.data(), checksum.size());
  return Secret(std::move(key));
}

std::string access_key_hash(std::string_view key) {
  const Digest digest = sha256(key);
  std::array<char, 2 * sizeof(Digest) + 1> hex{};
  sodium_bin2hex(hex.data(), hex.size(), digest.data(), digest.size());
  return std::string(kHashPrefix) + hex.data();
}

bool is_access_key(std::string_view credential) {
  return credential.starts_with(kAccessKeyPrefix);
}

std::expected<void, std::string> AccessKeys::add(std::string_view key, PrincipalPtr principal) {
  TOCSIN_ASSERT(principal != nullptr);
  Digest hash{};
  if (key.starts_with(kHashPrefix)) {
    const auto digest = digest_of_hex(key.substr(kHashPrefix.size()));
    if (!digest) return std::unexpected("the key's hash is not sha256: and 64 hexadecimal digits");
    hash = *digest;
  } else if (!is_access_key(key)) {
    return std::unexpected("the key is not one that `tocsin key` makes, nor the hash of one");
  } else if (const auto fault = fault_of(key); !fault.empty()) {
    return std::unexpected(std::string(fault));
  } else {
    hash = sha256(key);
  }
  const auto is_same = [&](const Known& known) { return same_bytes(known.hash, hash); };
  if (std::ranges::any_of(keys_, is_same)) return std::unexpected("the key is there twice");
  if (keys_.size() == kMax) return std::unexpected("there are too many keys");
  auto holder = std::make_shared<Principal>(*principal);
  // What it may do is not a part: that is looked up again (of_source()).
  const std::int64_t ends_s = principal->expires_at_s.value_or(0);
  holder->source = source_of({"key", {reinterpret_cast<const char*>(hash.data()), hash.size()},
                              principal->subject, std::to_string(ends_s)});
  keys_.push_back({.hash = hash, .principal = std::move(holder)});
  return {};
}

AccessKeys::Mark AccessKeys::mark_of(std::string_view credential) {
  using SipKey = std::array<unsigned char, crypto_shorthash_siphashx24_KEYBYTES>;
  static const SipKey kSecret = [] {
    SipKey secret{};
    randombytes_buf(secret.data(), secret.size());
    return secret;
  }();
  Mark mark;
  static_assert(sizeof mark == crypto_shorthash_siphashx24_BYTES);
  crypto_shorthash_siphashx24(reinterpret_cast<unsigned char*>(&mark),
                              reinterpret_cast<const unsigned char*>(credential.data()),
                              credential.size(), kSecret.data());
  mark.low |= 1;  // not that of what was never seen
  return mark;
}

std::expected<PrincipalPtr, Denial> AccessKeys::find(std::string_view credential) const {
  TOCSIN_ASSERT(is_access_key(credential));
  const Mark mark = mark_of(credential);
  const auto seen = std::ranges::find_if(
      keys_, [&mark](const Known& known) { return known.seen.is(mark); });
  if (seen != keys_.end()) return seen->principal;
  if (const auto fault = fault_of(credential); !fault.empty()) {
    return std::unexpected(Denial{.cause = DenialCause::malformed, .reason = std::string(fault)});
  }
  const Digest hash = sha256(credential);
  const Known* found = nullptr;
  for (const Known& known : keys_) {
    if (same_bytes(known.hash, hash)) found = &known;
  }
  if (found != nullptr) {
    found->seen.note(mark);
    return found->principal;
  }
  return std::unexpected(Denial{.cause = DenialCause::unknown_key,
                                .reason = "the key is none of this hub, or no longer"});
}

PrincipalPtr AccessKeys::of_source(std::uint64_t source) const {
  const auto is_it = [source](const Known& known) { return known.principal->source == source; };
  const auto found = std::ranges::find_if(keys_, is_it);
  return found == keys_.end() ? nullptr : found->principal;
}

}  // namespace tocsin::net
