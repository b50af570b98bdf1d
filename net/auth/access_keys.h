// Secret keys of the configuration, for back ends: "Authorization: Bearer tocsin_…".
//
// A key is the prefix "tocsin_", 40 random characters of [a-z2-7] (200 bits), and 7 more that are a
// checksum of all before (35 bits of SHA-256), so that a typo is told from a key that is not known.
// Scanners for secrets find it by tocsin_[a-z2-7]{47}. Keys are random, so their SHA-256 may be
// kept where others can read it.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "net/auth/principal.h"
#include "net/jose/digest.h"
#include "net/jose/secret.h"

namespace tocsin::net {

inline constexpr std::string_view kAccessKeyPrefix = "tocsin_";
inline constexpr std::size_t kAccessKeySize = kAccessKeyPrefix.size() + 40 + 7;

// A new key, of the system's random numbers.
[[nodiscard]] Secret make_access_key();

// What stands in a configuration in place of the key: "sha256:" and 64 hexadecimal digits.
[[nodiscard]] std::string access_key_hash(std::string_view key);

// Whether a credential wants to be one.
[[nodiscard]] bool is_access_key(std::string_view credential);

// Filled once, then immutable and safe to use from several threads at once.
class AccessKeys {
 public:
  static constexpr std::size_t kMax = 1024;

  // `key`: as make_access_key() has it, or its hash. The error says in words what is wrong, with
  // nothing of the key. Not kept but for its hash, which becomes the principal's source.
  [[nodiscard]] std::expected<void, std::string> add(std::string_view key, PrincipalPtr principal);

  // Compares the credential's hash with every key's, all in full: the time tells nothing. A key
  // that was good before is known by a faster hash, which nobody can aim without this process's
  // secret.
  // REQUIRES: is_access_key(credential).
  [[nodiscard]] std::expected<PrincipalPtr, Denial> find(std::string_view credential) const;

  // Whose key it is; null: it is none of these.
  [[nodiscard]] PrincipalPtr of_source(std::uint64_t source) const;

  [[nodiscard]] bool empty() const { return keys_.empty(); }

 private:
  // SipHash of a text, 128 bits.
  struct Mark {
    std::uint64_t low = 0;
    std::uint64_t high = 0;
  };
  // The mark of the one text that is the key, once that was found out. Written and read by several
  // threads at once: as no other mark is ever written, halves of two times make none that is good.
  class Seen {
   public:
    Seen() = default;
    Seen(const Seen&) {}  // a copy has yet to see it
    Seen& operator=(const Seen&) {
      note({});
      return *this;
    }
    [[nodiscard]] bool is(const Mark& mark) const {
      return low_.load(std::memory_order_relaxed) == mark.low &&
             high_.load(std::memory_order_relaxed) == mark.high;
    }
    void note(const Mark& mark) {
      low_.store(mark.low, std::memory_order_relaxed);
      high_.store(mark.high, std::memory_order_relaxed);
    }

   private:
    std::atomic<std::uint64_t> low_{0};
    std::atomic<std::uint64_t> high_{0};
  };
  struct Known {
    Digest hash;
    PrincipalPtr principal;
    mutable Seen seen{};
  };
  [[nodiscard]] static Mark mark_of(std::string_view credential);

  std::vector<Known> keys_;
};

}  // namespace tocsin::net
