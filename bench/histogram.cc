#include "bench/histogram.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace tocsin::bench {

std::size_t Histogram::bucket_of(std::uint64_t value_ns) {
  const std::uint64_t value = std::min(value_ns, std::uint64_t{1} << kMaxBits);
  if (value < kSub) return static_cast<std::size_t>(value);
  const auto exponent = static_cast<unsigned>(std::bit_width(value)) - 1;
  const unsigned shift = exponent - kSubBits;
  // (value >> shift) is in [128, 256): it already carries one kSub for the linear part.
  return (shift * kSub) + static_cast<std::size_t>(value >> shift);
}

std::uint64_t Histogram::upper_bound_ns(std::size_t bucket) {
  if (bucket < kSub) return bucket;
  const std::size_t shift = (bucket / kSub) - 1;
  const std::uint64_t top = bucket - (shift * kSub);
  return ((top + 1) << shift) - 1;
}

void Histogram::record(std::uint64_t value_ns) {
  ++counts_[bucket_of(value_ns)];
  ++count_;
  max_ns_ = std::max(max_ns_, value_ns);
}

void Histogram::merge(const Histogram& other) {
  for (std::size_t i = 0; i < kBuckets; ++i) counts_[i] += other.counts_[i];
  count_ += other.count_;
  max_ns_ = std::max(max_ns_, other.max_ns_);
}

std::uint64_t Histogram::value_at(double quantile) const {
  if (count_ == 0) return 0;
  const double wanted = std::ceil(quantile * static_cast<double>(count_));
  const auto rank = std::clamp<std::uint64_t>(static_cast<std::uint64_t>(wanted), 1, count_);
  std::uint64_t seen = 0;
  for (std::size_t i = 0; i < kBuckets; ++i) {
    seen += counts_[i];
    if (seen >= rank) return std::min(upper_bound_ns(i), max_ns_);
  }
  return max_ns_;
}

}  // namespace tocsin::bench
