// Credentials that were verified, by the SHA-256 of their bytes: the same token costs its signature
// once. Keeps neither credentials nor denials.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <list>
#include <unordered_map>

#include "net/auth/principal.h"
#include "net/base/mutex.h"
#include "net/jose/digest.h"

namespace tocsin::net {

// Safe to use from several threads at once: parts with a lock each, chosen by the digest, which
// nobody can aim.
class PrincipalCache {
 public:
  // `max_bytes`: of all that it holds, about. What was not asked for the longest goes first. 0: it
  // keeps nothing.
  explicit PrincipalCache(std::size_t max_bytes);

  static constexpr std::int64_t kForEver = std::numeric_limits<std::int64_t>::max();

  // Null if it is not there, or at `now_s` expired or no longer to be kept.
  [[nodiscard]] PrincipalPtr find(const Digest& credential, std::int64_t now_s);
  // Kept until `until_s` at most, seconds since 1970. A principal larger than its part of the bound
  // is not kept.
  void put(const Digest& credential, PrincipalPtr principal, std::int64_t until_s = kForEver);

  [[nodiscard]] std::size_t bytes();

 private:
  static constexpr std::size_t kParts = 16;

  struct Entry {
    Digest credential;
    PrincipalPtr principal;
    std::int64_t until_s;
  };
  using Entries = std::list<Entry>;
  // The digest is random enough by itself.
  struct FirstBytes {
    std::size_t operator()(const Digest& digest) const;
  };
  struct alignas(64) Part {
    Mutex mutex;
    Entries entries TOCSIN_LOCKS(guarded_by(mutex));  // the last one asked for is first
    std::unordered_map<Digest, Entries::iterator, FirstBytes> places
        TOCSIN_LOCKS(guarded_by(mutex));
    std::size_t bytes TOCSIN_LOCKS(guarded_by(mutex)) = 0;
  };
  [[nodiscard]] Part& part_of(const Digest& credential);
  static void remove(Part& part, Entries::iterator entry)
      TOCSIN_LOCKS(requires_capability(part.mutex));

  std::size_t max_bytes_of_part_;
  std::array<Part, kParts> parts_;
};

}  // namespace tocsin::net
