#include "net/auth/principal_cache.h"

#include <cstring>
#include <iterator>
#include <utility>

#include "proto/assert.h"

namespace tocsin::net {
namespace {

// Of an entry besides its principal: nodes of the list and of the table, and what malloc adds.
constexpr std::size_t kEntryOverhead = 192;

std::size_t size_of_entry(const Principal& principal) {
  return principal.memory() + kEntryOverhead;
}

}  // namespace

std::size_t PrincipalCache::FirstBytes::operator()(const Digest& digest) const {
  std::size_t hash = 0;
  std::memcpy(&hash, digest.data(), sizeof hash);
  return hash;
}

PrincipalCache::PrincipalCache(std::size_t max_bytes) : max_bytes_of_part_(max_bytes / kParts) {}

PrincipalCache::Part& PrincipalCache::part_of(const Digest& credential) {
  return parts_[credential.back() % kParts];
}

void PrincipalCache::remove(Part& part, Entries::iterator entry) {
  const std::size_t size = size_of_entry(*entry->principal);
  TOCSIN_ASSERT(part.bytes >= size);
  part.bytes -= size;
  part.places.erase(entry->credential);
  part.entries.erase(entry);
}

PrincipalPtr PrincipalCache::find(const Digest& credential, std::int64_t now_s) {
  Part& part = part_of(credential);
  const MutexLock lock(part.mutex);
  const auto place = part.places.find(credential);
  if (place == part.places.end()) return nullptr;
  const auto entry = place->second;
  if (now_s >= entry->until_s || entry->principal->is_expired(now_s)) {
    remove(part, entry);
    return nullptr;
  }
  part.entries.splice(part.entries.begin(), part.entries, entry);
  return entry->principal;
}

void PrincipalCache::put(const Digest& credential, PrincipalPtr principal, std::int64_t until_s) {
  TOCSIN_ASSERT(principal != nullptr);
  const std::size_t size = size_of_entry(*principal);
  if (size > max_bytes_of_part_) return;
  Part& part = part_of(credential);
  const MutexLock lock(part.mutex);
  if (part.places.contains(credential)) return;  // another thread verified it at the same time
  while (part.bytes + size > max_bytes_of_part_) remove(part, std::prev(part.entries.end()));
  part.entries.push_front(
      {.credential = credential, .principal = std::move(principal), .until_s = until_s});
  part.places.emplace(credential, part.entries.begin());
  part.bytes += size;
}

std::size_t PrincipalCache::bytes() {
  std::size_t sum = 0;
  for (Part& part : parts_) {
    const MutexLock lock(part.mutex);
    sum += part.bytes;
  }
  return sum;
}

}  // namespace tocsin::net
