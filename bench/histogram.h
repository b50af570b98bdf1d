// Latencies in log-linear buckets: constant memory, constant time, a known error.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace tocsin::bench {

// Counts values in nanoseconds. Below 128 ns a bucket is one nanosecond; above it, every power of
// two is cut into 128 equal buckets, so a reported value is at most 1/128 (0.8 %) too high and
// never too low. Values beyond 2^40 ns (18 minutes) count as 2^40. Not thread-safe: one for each
// thread, merged at the end.
class Histogram {
 public:
  void record(std::uint64_t value_ns);
  void merge(const Histogram& other);

  [[nodiscard]] std::uint64_t count() const { return count_; }
  // Exact, not a bucket's bound. 0 if nothing was recorded.
  [[nodiscard]] std::uint64_t max_ns() const { return max_ns_; }
  // The smallest bucket bound that at least `quantile` (0 to 1) of the values do not exceed; never
  // above max_ns(). 0 if nothing was recorded.
  [[nodiscard]] std::uint64_t value_at(double quantile) const;

 private:
  static constexpr unsigned kSubBits = 7;
  static constexpr unsigned kMaxBits = 40;
  static constexpr std::size_t kSub = std::size_t{1} << kSubBits;
  static constexpr std::size_t kBuckets = (kMaxBits - kSubBits + 2) * kSub;

  static std::size_t bucket_of(std::uint64_t value_ns);
  static std::uint64_t upper_bound_ns(std::size_t bucket);

  std::array<std::uint64_t, kBuckets> counts_{};
  std::uint64_t count_ = 0;
  std::uint64_t max_ns_ = 0;
};

}  // namespace tocsin::bench
