// Thresholds of a run: --expect 'p99<50ms,lost=0'.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

namespace tocsin::load {

struct LoadResult;

// NAME OPERATOR VALUE. Operators: < <= = >= >. Names: p50, p90, p99, p99.9 (any p and number), max,
// mean, outage (the longest; with a unit: ns, us, ms, s); lost, told, away, uncertain, duplicated,
// reordered, corrupted, refused, dropped;
// connected, server-streams, delivered, deliveries/s, events/s, connects/s; cpu/delivery (with a
// unit of time); rss/subscriber, kernel/subscriber (bytes, or with B, KB, MB of 1,000).
struct Expectation {
  enum class Operator : std::uint8_t { less, less_equal, equal, greater_equal, greater };
  std::string text;  // as given
  std::string name;
  Operator op = Operator::equal;
  double value = 0;  // in the name's base unit: ns, bytes, or a number

  // Nothing if it holds, otherwise a sentence: "p99 is 61 ms, not < 50 ms". What was not measured
  // (no latency without a delivery, no CPU without --pid) does not hold.
  [[nodiscard]] std::string failure(const LoadResult& result) const;
};

// Several with commas. The error names the one that cannot be read.
[[nodiscard]] std::expected<std::vector<Expectation>, std::string> parse_expectations(
    std::string_view text);

}  // namespace tocsin::load
