// How fast the measuring client reads: it must not be what a saturated run measures.
#include <string>

#include <benchmark/benchmark.h>

#include "bench/payload.h"
#include "bench/stream_check.h"

namespace tocsin::bench {
namespace {

void check_stream(benchmark::State& state) {
  constexpr std::uint64_t kEvents = 1000;
  const PayloadFormat format(7, 174);
  std::string wire;
  for (std::uint64_t i = 0; i < kEvents; ++i) {
    std::string data(format.bytes(), '\0');
    format.write({.lane = 0, .number = i, .sent_at_ns = 1000 + i}, data.data());
    wire += "id: 9f3c21ab-" + std::to_string(1000 + i) + "\ndata: " + data + "\n\n";
  }
  CheckTotals totals;
  for (auto _ : state) {
    StreamCheck check;
    benchmark::DoNotOptimize(check.feed(wire, 1'000'000, format, totals));
  }
  if (totals.delivered % kEvents != 0) state.SkipWithError("not every event was delivered");
  const auto turns = static_cast<std::uint64_t>(state.iterations());
  state.SetItemsProcessed(static_cast<std::int64_t>(turns * kEvents));
  state.SetBytesProcessed(static_cast<std::int64_t>(turns * wire.size()));
}
BENCHMARK(check_stream);

}  // namespace
}  // namespace tocsin::bench
