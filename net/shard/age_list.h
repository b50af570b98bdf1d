// Some of a shard's connections in the order in which they were last renewed: a list linked through
// their attachments, so that adding, renewing and removing one costs no search and no allocation.
//
// Not thread-safe: one per shard.
#pragma once

#include <cstdint>

#include "net/shard/connection_table.h"
#include "proto/assert.h"

namespace tocsin::net {

class AgeList {
 public:
  static constexpr std::uint32_t kNone = AgeLinks::kNone;

  using LinksOf = AgeLinks& (*)(Attachment&);

  // `links_of`: those that belong to this list. `table` outlives it.
  AgeList(ConnectionTable& table, LinksOf links_of) : table_(table), links_of_(links_of) {}

  // As the youngest. REQUIRES: it has an attachment, and is not in the list.
  void add(std::uint32_t slot) {
    AgeLinks& at = links(slot);
    TOCSIN_DEBUG_ASSERT(!at.listed());
    at = {.older = youngest_, .younger = kNone};
    (youngest_ == kNone ? oldest_ : links(youngest_).younger) = slot;
    youngest_ = slot;
    ++size_;
  }

  // REQUIRES: it has an attachment. Nothing happens if it is not in the list.
  void remove(std::uint32_t slot) {
    AgeLinks& at = links(slot);
    if (!at.listed()) return;
    (at.older == kNone ? oldest_ : links(at.older).younger) = at.younger;
    (at.younger == kNone ? youngest_ : links(at.younger).older) = at.older;
    at = {};
    TOCSIN_ASSERT(size_ > 0);
    --size_;
  }

  // It is the youngest from now on, whether it was in the list or not.
  void renew(std::uint32_t slot) {
    if (slot == youngest_) return;
    remove(slot);
    add(slot);
  }

  // A slot, or kNone.
  [[nodiscard]] std::uint32_t oldest() const { return oldest_; }
  [[nodiscard]] std::uint32_t size() const { return size_; }

 private:
  AgeLinks& links(std::uint32_t slot) { return links_of_(table_[slot].extra()); }

  ConnectionTable& table_;
  const LinksOf links_of_;
  std::uint32_t oldest_ = kNone;
  std::uint32_t youngest_ = kNone;
  std::uint32_t size_ = 0;
};

}  // namespace tocsin::net
