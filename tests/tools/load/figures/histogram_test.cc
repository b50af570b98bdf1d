#include "tools/load/figures/histogram.h"

#include <atomic>
#include <cstdint>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace tocsin::load {
namespace {

TEST(LatencyHistogram, QuantilesAreNeverLowAndAtMostOnePart128High) {
  LatencyHistogram histogram;
  std::vector<std::uint64_t> values;
  for (std::uint64_t v = 1; v < 3'000'000'000ULL; v += 1 + v / 50) values.push_back(v);
  for (const auto v : values) histogram.record(v);
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double quantile = static_cast<double>(i + 1) / static_cast<double>(values.size());
    const std::uint64_t found = histogram.value_at(quantile - 1e-9);
    EXPECT_GE(found, values[i]);
    EXPECT_LE(found, values[i] + values[i] / 128 + 1);
  }
  EXPECT_EQ(histogram.count(), values.size());
  EXPECT_EQ(histogram.max_ns(), values.back());
  EXPECT_EQ(histogram.value_at(1), values.back());
}

TEST(LatencyHistogram, EmptyOneIsZero) {
  const LatencyHistogram histogram;
  EXPECT_EQ(histogram.value_at(0.5), 0U);
  EXPECT_EQ(histogram.count(), 0U);
  EXPECT_EQ(histogram.max_ns(), 0U);
  EXPECT_EQ(histogram.mean_ns(), 0);
}

TEST(LatencyHistogram, SmallValuesAreExact) {
  LatencyHistogram histogram;
  for (std::uint64_t v = 0; v < 128; ++v) histogram.record(v);
  EXPECT_EQ(histogram.value_at(0), 0U);
  EXPECT_EQ(histogram.value_at(0.5), 63U);
  EXPECT_EQ(histogram.value_at(1), 127U);
  EXPECT_DOUBLE_EQ(histogram.mean_ns(), 63.5);
}

TEST(LatencyHistogram, TakesTheLargestValues) {
  LatencyHistogram histogram;
  histogram.record(~0ULL);
  histogram.record(1ULL << 40);
  EXPECT_EQ(histogram.count(), 2U);
  EXPECT_EQ(histogram.max_ns(), ~0ULL);
}

TEST(LatencyHistogram, RecordsManyAtOnce) {
  LatencyHistogram histogram;
  histogram.record(10, 99);
  histogram.record(1'000, 1);
  histogram.record(1'000'000, 0);
  EXPECT_EQ(histogram.count(), 100U);
  EXPECT_EQ(histogram.value_at(0.99), 10U);
  EXPECT_EQ(histogram.max_ns(), 1'000U);
}

TEST(LatencyHistogram, MergesAndCopies) {
  LatencyHistogram a;
  LatencyHistogram b;
  a.record(5);
  b.record(5);
  b.record(70'000);
  a.merge(b);
  const LatencyHistogram copy = a;
  a.record(1);
  EXPECT_EQ(copy.count(), 3U);
  EXPECT_EQ(copy.max_ns(), 70'000U);
  EXPECT_EQ(copy.value_at(0.6), 5U);
}

TEST(LatencyHistogram, SinceCountsWhatCameLater) {
  LatencyHistogram histogram;
  histogram.record(1'000'000, 3);
  const LatencyHistogram earlier = histogram;
  EXPECT_EQ(histogram.since(earlier).count(), 0U);
  EXPECT_EQ(histogram.since(earlier).max_ns(), 0U);
  histogram.record(500, 7);
  const LatencyHistogram later = histogram.since(earlier);
  EXPECT_EQ(later.count(), 7U);
  EXPECT_GE(later.max_ns(), 500U);
  EXPECT_LE(later.max_ns(), 504U);
  EXPECT_EQ(later.value_at(1), later.max_ns());
}

TEST(LatencyHistogram, VisitsWhatIsNotEmptyInOrder) {
  LatencyHistogram histogram;
  histogram.record(3, 2);
  histogram.record(127);
  histogram.record(256);
  std::vector<std::pair<std::uint64_t, std::uint64_t>> seen;
  histogram.for_each([&](std::uint64_t bound, std::uint64_t n) { seen.emplace_back(bound, n); });
  EXPECT_EQ(seen,
            (std::vector<std::pair<std::uint64_t, std::uint64_t>>{{3, 2}, {127, 1}, {257, 1}}));
}

TEST(LatencyHistogram, IsReadWhileItIsWritten) {
  constexpr std::uint64_t kRecords = 200'000;
  LatencyHistogram histogram;
  std::atomic<bool> done{false};
  std::thread writer([&] {
    for (std::uint64_t i = 0; i < kRecords; ++i) histogram.record(i);
    done = true;
  });
  std::uint64_t before = 0;
  while (!done) {
    const std::uint64_t now = LatencyHistogram(histogram).count();
    EXPECT_GE(now, before);
    before = now;
  }
  writer.join();
  EXPECT_EQ(histogram.count(), kRecords);
}

}  // namespace
}  // namespace tocsin::load
