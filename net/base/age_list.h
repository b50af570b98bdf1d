// Some of many things, each of which has a number, in the order in which they were last renewed: a
// list through links that they keep themselves, so that adding, renewing and removing one costs no
// search and no allocation.
//
// Not thread-safe.
#pragma once

#include <cstdint>
#include <functional>
#include <utility>

#include "proto/assert.h"

namespace tocsin::net {

// A thing's place in a list.
struct AgeLinks {
  static constexpr std::uint32_t kNone = 0xffff'ffff;
  static constexpr std::uint32_t kUnlisted = 0xffff'fffe;

  std::uint32_t older = kUnlisted;
  std::uint32_t younger = kUnlisted;

  [[nodiscard]] bool listed() const { return older != kUnlisted; }
};

class AgeList {
 public:
  static constexpr std::uint32_t kNone = AgeLinks::kNone;

  // Those of a number that belong to this list. They are valid from before it is added until after
  // it was removed, and nobody else changes them.
  using LinksOf = std::function<AgeLinks&(std::uint32_t)>;

  explicit AgeList(LinksOf links_of) : links_(std::move(links_of)) {}

  // As the youngest. REQUIRES: it is not in the list.
  void add(std::uint32_t number) {
    AgeLinks& at = links_(number);
    TOCSIN_DEBUG_ASSERT(!at.listed());
    at = {.older = youngest_, .younger = kNone};
    (youngest_ == kNone ? oldest_ : links_(youngest_).younger) = number;
    youngest_ = number;
    ++size_;
  }

  // Nothing happens if it is not in the list.
  void remove(std::uint32_t number) {
    AgeLinks& at = links_(number);
    if (!at.listed()) return;
    (at.older == kNone ? oldest_ : links_(at.older).younger) = at.younger;
    (at.younger == kNone ? youngest_ : links_(at.younger).older) = at.older;
    at = {};
    TOCSIN_ASSERT(size_ > 0);
    --size_;
  }

  // It is the youngest from now on, whether it was in the list or not.
  void renew(std::uint32_t number) {
    if (number == youngest_) return;
    remove(number);
    add(number);
  }

  // A number, or kNone.
  [[nodiscard]] std::uint32_t oldest() const { return oldest_; }
  [[nodiscard]] std::uint32_t size() const { return size_; }

 private:
  const LinksOf links_;
  std::uint32_t oldest_ = kNone;
  std::uint32_t youngest_ = kNone;
  std::uint32_t size_ = 0;
};

}  // namespace tocsin::net
