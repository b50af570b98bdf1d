// For the checker's tests: payloads, frames, and a checker that is fed one stream's bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tests/net/support/test_client.h"
#include "tools/load/subscribers/stream_checker.h"

// A namespace of its own: other tests' helpers have the same names.
namespace tocsin::load::checked {

inline constexpr std::size_t kBytes = 120;
inline constexpr std::uint32_t kRun = 7;
inline constexpr std::uint32_t kOtherRun = 8;

inline const PayloadFormat& format_of(std::uint32_t run) {
  static const PayloadFormat own(kRun, 100'000);
  static const PayloadFormat other(kOtherRun, 100'000);
  return run == kRun ? own : other;
}

inline std::string payload(std::uint64_t number, std::uint32_t lane = 0, std::uint32_t run = kRun,
                           std::size_t bytes = kBytes) {
  std::string data(bytes, '\0');
  format_of(run).write({.lane = lane, .number = number, .due_ns = 1000 + number}, bytes,
                       data.data());
  return data;
}

inline std::string frame(std::uint64_t number, std::uint32_t lane = 0) {
  return "id: 9f3c21ab-" + std::to_string(number + 1) + "\ndata: " + payload(number, lane) + "\n\n";
}

inline std::string frames(const std::vector<std::uint64_t>& numbers) {
  std::string wire;
  for (const auto number : numbers) wire += frame(number);
  return wire;
}

inline std::string with_line_ends(std::string_view wire, std::string_view line_end) {
  std::string result;
  for (const char c : wire) {
    if (c == '\n') {
      result += line_end;
    } else {
      result += c;
    }
  }
  return result;
}

struct CheckedStream {
  explicit CheckedStream(std::uint32_t lanes = 1, std::uint32_t topics = 1,
                         std::uint32_t streams = 1)
      : published(lanes),
        checker({.format = format_of(kRun),
                 .latency = latency,
                 .unpublished = published.unpublished,
                 .streams = streams,
                 .first_index = 0,
                 .topics = topics,
                 .lanes = lanes}) {
    for (std::uint32_t i = 0; i < streams; ++i) checker.lanes().expect_all(i);
  }
  // What lies around the bytes must not matter, but for the room in front.
  CheckedStream& feed(std::string_view bytes, std::uint32_t stream = 0) {
    std::string buffer(StreamChecker::kFront, '\r');
    buffer += bytes;
    const auto memory = std::make_unique<char[]>(buffer.size());
    buffer.copy(memory.get(), buffer.size());
    checker.feed(stream, memory.get() + StreamChecker::kFront, bytes.size(), 1'000'000);
    return *this;
  }
  CheckTotals finish(const std::vector<std::uint64_t>& submitted, std::uint32_t stream = 0) {
    for (std::size_t i = 0; i < submitted.size(); ++i) published.submitted[i] = submitted[i];
    CheckTotals totals = checker.totals();
    checker.lanes().finish(stream, published, false, totals);
    return totals;
  }
  [[nodiscard]] const CheckTotals& totals() const { return checker.totals(); }

  LatencyHistogram latency;
  PublishProgress published;
  StreamChecker checker;
};

}  // namespace tocsin::load::checked
