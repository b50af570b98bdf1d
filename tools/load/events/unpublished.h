// Events that are not known to be published: nobody has to get them.
#pragma once

#include <cstdint>
#include <unordered_map>
#include <vector>

#include "net/base/mutex.h"

namespace tocsin::load {

// Those that the server refused, and those whose request was cut before its answer and which may or
// may not have been published. Whatever of them comes may come late. Thread-safe.
class Unpublished {
 public:
  // Each event at most once, and those of a lane in the order of their numbers.
  void add(std::uint32_t lane, std::uint64_t number);
  // How many of the lane are in [first, last).
  [[nodiscard]] std::uint64_t count(std::uint32_t lane, std::uint64_t first,
                                    std::uint64_t last) const;

 private:
  struct Range {
    std::uint64_t first;
    std::uint64_t last;  // exclusive
  };
  mutable net::Mutex mutex_;
  // In order, apart from each other.
  std::unordered_map<std::uint32_t, std::vector<Range>> lanes_ TOCSIN_LOCKS(guarded_by(mutex_));
};

}  // namespace tocsin::load
