// Latencies in log-linear buckets: constant memory, constant time, a known error.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace tocsin::load {

// Counts values in nanoseconds. Below 128 ns a bucket is one nanosecond; above it, every power of
// two is cut into 128 equal buckets, so a reported value is at most 1/128 (0.8 %) too high and
// never too low. Values beyond 2^40 ns (18 minutes) count as 2^40. 35 KB.
//
// One thread records; others may copy or merge from it meanwhile (each count is then the one of
// some moment of the copy). Debian has no C or C++ library of this kind.
class LatencyHistogram {
 public:
  LatencyHistogram() = default;
  LatencyHistogram(const LatencyHistogram& other);
  LatencyHistogram& operator=(const LatencyHistogram& other);

  void record(std::uint64_t value_ns, std::uint64_t times = 1);
  void merge(const LatencyHistogram& other);
  // What was counted since `earlier`, a copy of this one. The maximum is then a bucket's bound.
  [[nodiscard]] LatencyHistogram since(const LatencyHistogram& earlier) const;

  [[nodiscard]] std::uint64_t count() const;
  [[nodiscard]] std::uint64_t max_ns() const;  // exact
  [[nodiscard]] double mean_ns() const;        // of the buckets' bounds
  // The smallest bucket bound that at least `quantile` (0 to 1) of the values do not exceed; never
  // above max_ns(). 0 if nothing was recorded.
  [[nodiscard]] std::uint64_t value_at(double quantile) const;

  // Every bucket that is not empty, smallest first: visitor(upper_bound_ns, count).
  template <typename Visitor>
  void for_each(Visitor&& visitor) const;

 private:
  static constexpr unsigned kSubBits = 7;
  static constexpr unsigned kMaxBits = 40;
  static constexpr std::size_t kSub = std::size_t{1} << kSubBits;
  static constexpr std::size_t kBuckets = (kMaxBits - kSubBits + 2) * kSub;

  static std::size_t bucket_of(std::uint64_t value_ns);
  static std::uint64_t upper_bound_ns(std::size_t bucket);

  // Relaxed loads and stores by one writer: no locked instruction for each delivery.
  std::array<std::atomic<std::uint64_t>, kBuckets> counts_{};
  std::atomic<std::uint64_t> max_ns_{0};
};

inline std::size_t LatencyHistogram::bucket_of(std::uint64_t value_ns) {
  const std::uint64_t value = std::min(value_ns, std::uint64_t{1} << kMaxBits);
  if (value < kSub) return static_cast<std::size_t>(value);
  const auto exponent = static_cast<unsigned>(std::bit_width(value)) - 1;
  const unsigned shift = exponent - kSubBits;
  // (value >> shift) is in [128, 256): it already carries one kSub for the linear part.
  return (shift * kSub) + static_cast<std::size_t>(value >> shift);
}

// Inline: once for each delivery.
inline void LatencyHistogram::record(std::uint64_t value_ns, std::uint64_t times) {
  constexpr auto kRelaxed = std::memory_order_relaxed;
  if (times == 0) return;
  std::atomic<std::uint64_t>& count = counts_[bucket_of(value_ns)];
  count.store(count.load(kRelaxed) + times, kRelaxed);
  if (value_ns > max_ns_.load(kRelaxed)) max_ns_.store(value_ns, kRelaxed);
}

template <typename Visitor>
void LatencyHistogram::for_each(Visitor&& visitor) const {
  for (std::size_t i = 0; i < kBuckets; ++i) {
    const std::uint64_t count = counts_[i].load(std::memory_order_relaxed);
    if (count > 0) visitor(upper_bound_ns(i), count);
  }
}

}  // namespace tocsin::load
