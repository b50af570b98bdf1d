// The text of /metrics, by prometheus-cpp's serializer, and how the hub's counters become samples.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include "net/state/metrics.h"

namespace tocsin::net {

class Exposition {
 public:
  void gauge(std::string name, std::string help, double value) {
    prometheus::ClientMetric metric;
    metric.gauge.value = value;
    add(std::move(name), std::move(help), prometheus::MetricType::Gauge).metric.push_back(metric);
  }
  void counter(std::string name, std::string help, std::uint64_t value) {
    prometheus::ClientMetric metric;
    metric.counter.value = static_cast<double>(value);
    add(std::move(name), std::move(help), prometheus::MetricType::Counter).metric.push_back(metric);
  }
  prometheus::MetricFamily& add(std::string name, std::string help, prometheus::MetricType type) {
    prometheus::MetricFamily family;
    family.name = std::move(name);
    family.help = std::move(help);
    family.type = type;
    families_.push_back(std::move(family));
    return families_.back();
  }
  [[nodiscard]] std::string text() const {
    return prometheus::TextSerializer{}.Serialize(families_);
  }

 private:
  std::vector<prometheus::MetricFamily> families_;
};

inline prometheus::ClientMetric::Label label(std::string name, std::string_view value) {
  prometheus::ClientMetric::Label result;
  result.name = std::move(name);
  result.value = value;
  return result;
}

// The histograms added up; the buckets' bounds are powers of two times `unit`.
template <std::size_t kBuckets>
void histogram(Exposition& page, std::span<const Histogram<kBuckets>* const> parts,
               const char* name, const char* help, double unit) {
  prometheus::ClientMetric metric;
  std::uint64_t count = 0;
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < kBuckets; ++i) {
    for (const auto* part : parts) count += part->bucket(i);
    if (i + 1 == kBuckets) break;  // the last one has no upper bound
    prometheus::ClientMetric::Bucket bucket;
    bucket.cumulative_count = count;
    bucket.upper_bound = static_cast<double>(1ULL << i) * unit;
    metric.histogram.bucket.push_back(bucket);
  }
  for (const auto* part : parts) sum += part->sum();
  metric.histogram.sample_count = count;
  metric.histogram.sample_sum = static_cast<double>(sum) * unit;
  page.add(name, help, prometheus::MetricType::Histogram).metric.push_back(metric);
}

template <std::size_t kCount>
void by_outcome(Exposition& page, const char* name, const char* help,
                const std::array<const char*, kCount>& outcomes,
                const std::array<SharedCounter, kCount>& counts) {
  prometheus::MetricFamily& family = page.add(name, help, prometheus::MetricType::Counter);
  for (std::size_t i = 0; i < kCount; ++i) {
    prometheus::ClientMetric metric;
    metric.label = {label("outcome", outcomes[i])};
    metric.counter.value = static_cast<double>(counts[i].get());
    family.metric.push_back(metric);
  }
}

}  // namespace tocsin::net
