#include "tools/load/figures/histogram.h"

#include <algorithm>
#include <cmath>

namespace tocsin::load {
namespace {

constexpr auto kRelaxed = std::memory_order_relaxed;

// One writer: a load and a store, no locked instruction.
void add(std::atomic<std::uint64_t>& counter, std::uint64_t amount) {
  counter.store(counter.load(kRelaxed) + amount, kRelaxed);
}

void raise(std::atomic<std::uint64_t>& highest, std::uint64_t value) {
  if (value > highest.load(kRelaxed)) highest.store(value, kRelaxed);
}

}  // namespace

LatencyHistogram::LatencyHistogram(const LatencyHistogram& other) {
  *this = other;
}

LatencyHistogram& LatencyHistogram::operator=(const LatencyHistogram& other) {
  for (std::size_t i = 0; i < kBuckets; ++i) {
    counts_[i].store(other.counts_[i].load(kRelaxed), kRelaxed);
  }
  max_ns_.store(other.max_ns(), kRelaxed);
  return *this;
}

std::uint64_t LatencyHistogram::upper_bound_ns(std::size_t bucket) {
  if (bucket < kSub) return bucket;
  const std::size_t shift = (bucket / kSub) - 1;
  const std::uint64_t top = bucket - (shift * kSub);
  return ((top + 1) << shift) - 1;
}

void LatencyHistogram::merge(const LatencyHistogram& other) {
  for (std::size_t i = 0; i < kBuckets; ++i) {
    const std::uint64_t count = other.counts_[i].load(kRelaxed);
    if (count > 0) add(counts_[i], count);
  }
  raise(max_ns_, other.max_ns());
}

LatencyHistogram LatencyHistogram::since(const LatencyHistogram& earlier) const {
  LatencyHistogram result;
  std::uint64_t highest = 0;
  for (std::size_t i = 0; i < kBuckets; ++i) {
    const std::uint64_t now = counts_[i].load(kRelaxed);
    const std::uint64_t before = earlier.counts_[i].load(kRelaxed);
    if (now <= before) continue;
    result.counts_[i].store(now - before, kRelaxed);
    highest = upper_bound_ns(i);
  }
  result.max_ns_.store(std::min(highest, max_ns()), kRelaxed);
  return result;
}

std::uint64_t LatencyHistogram::count() const {
  std::uint64_t sum = 0;
  for (const auto& count : counts_) sum += count.load(kRelaxed);
  return sum;
}

std::uint64_t LatencyHistogram::max_ns() const {
  return max_ns_.load(kRelaxed);
}

double LatencyHistogram::mean_ns() const {
  double sum = 0;
  std::uint64_t count = 0;
  for_each([&](std::uint64_t bound_ns, std::uint64_t times) {
    sum += static_cast<double>(bound_ns) * static_cast<double>(times);
    count += times;
  });
  return count > 0 ? sum / static_cast<double>(count) : 0;
}

std::uint64_t LatencyHistogram::value_at(double quantile) const {
  const std::uint64_t total = count();
  if (total == 0) return 0;
  const double wanted = std::ceil(quantile * static_cast<double>(total));
  const auto rank = std::clamp<std::uint64_t>(static_cast<std::uint64_t>(wanted), 1, total);
  std::uint64_t seen = 0;
  for (std::size_t i = 0; i < kBuckets; ++i) {
    seen += counts_[i].load(kRelaxed);
    if (seen >= rank) return std::min(upper_bound_ns(i), max_ns());
  }
  return max_ns();
}

}  // namespace tocsin::load
