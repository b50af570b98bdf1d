// How fast the load generator reads: it must not be what a saturated run measures.
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>

#include "proto/http/framing.h"
#include "proto/sse/event_id.h"
#include "proto/sse/sse_encode.h"
#include "tools/load/events/payload.h"
#include "tools/load/events/unpublished.h"
#include "tools/load/subscribers/chunk_decoder.h"
#include "tools/load/subscribers/stream_checker.h"

namespace tocsin::load {
namespace {

// With an id as the hub gives them.
std::string frame(const std::string& data, std::uint64_t number) {
  const std::string id = proto::to_string({.epoch = 0x9f3c21ab, .sequence = 1000 + number});
  return proto::encode_frame({.id = id, .data = data});
}

void check_stream(benchmark::State& state) {
  constexpr std::uint64_t kEvents = 1000;
  constexpr std::size_t kBytes = 174;
  const PayloadFormat format(7, kBytes);
  std::string wire(StreamChecker::kFront, '\0');
  for (std::uint64_t i = 0; i < kEvents; ++i) {
    std::string data(kBytes, '\0');
    format.write({.lane = 0, .number = i, .due_ns = 1000 + i}, kBytes, data.data());
    wire += frame(data, i);
  }
  const std::size_t size = wire.size() - StreamChecker::kFront;
  auto latency = std::make_unique<LatencyHistogram>();
  const Unpublished unpublished;
  for (auto _ : state) {
    StreamChecker checker(
        {.format = format, .latency = *latency, .unpublished = unpublished, .streams = 1});
    checker.feed(0, wire.data() + StreamChecker::kFront, size, 1'000'000);
    if (checker.totals().delivered != kEvents) state.SkipWithError("not every event was seen");
  }
  const auto turns = static_cast<std::size_t>(state.iterations());
  state.SetItemsProcessed(static_cast<std::int64_t>(turns * kEvents));
  state.SetBytesProcessed(static_cast<std::int64_t>(turns * size));
}
BENCHMARK(check_stream);

// The same out of chunks, one for each event.
void check_chunks(benchmark::State& state) {
  constexpr std::uint64_t kEvents = 1000;
  constexpr std::size_t kBytes = 174;
  const PayloadFormat format(7, kBytes);
  const std::string front(StreamChecker::kFront, '\0');
  std::string chunks = front;
  for (std::uint64_t i = 0; i < kEvents; ++i) {
    std::string data(kBytes, '\0');
    format.write({.lane = 0, .number = i, .due_ns = 1000 + i}, kBytes, data.data());
    proto::append_framed(chunks, proto::Framing::chunked, frame(data, i));
  }
  auto latency = std::make_unique<LatencyHistogram>();
  const Unpublished unpublished;
  for (auto _ : state) {
    StreamChecker checker(
        {.format = format, .latency = *latency, .unpublished = unpublished, .streams = 1});
    ChunkDecoder decoder;
    checker.feed_chunks(0, decoder, std::span(chunks).subspan(front.size()), 1'000'000);
    if (checker.totals().delivered != kEvents) state.SkipWithError("not every event was seen");
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(kEvents));
}
BENCHMARK(check_chunks);

}  // namespace
}  // namespace tocsin::load
