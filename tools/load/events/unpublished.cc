#include "tools/load/events/unpublished.h"

#include <algorithm>

#include "proto/assert.h"

namespace tocsin::load {

void Unpublished::add(std::uint32_t lane, std::uint64_t number) {
  const net::MutexLock lock(mutex_);
  std::vector<Range>& ranges = lanes_[lane];
  TOCSIN_ASSERT(ranges.empty() || ranges.back().last <= number);
  if (!ranges.empty() && ranges.back().last == number) {
    ++ranges.back().last;
  } else {
    ranges.push_back({number, number + 1});
  }
}

std::uint64_t Unpublished::count(std::uint32_t lane, std::uint64_t first,
                                 std::uint64_t last) const {
  const net::MutexLock lock(mutex_);
  const auto found = lanes_.find(lane);
  if (found == lanes_.end()) return 0;
  std::uint64_t sum = 0;
  for (auto it = std::ranges::upper_bound(found->second, first, {}, &Range::last);
       it != found->second.end() && it->first < last; ++it) {
    sum += std::min(it->last, last) - std::max(it->first, first);
  }
  return sum;
}

}  // namespace tocsin::load
