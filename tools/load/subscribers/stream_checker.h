// What a receiver checks of its streams: every event whole, once, in order, none missing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tools/load/events/payload.h"
#include "tools/load/figures/histogram.h"
#include "tools/load/figures/load_result.h"
#include "tools/load/subscribers/chunk_decoder.h"
#include "tools/load/subscribers/id_table.h"
#include "tools/load/subscribers/lane_table.h"

namespace tocsin::load {

// An event without an end that is larger than this is dropped and counted as corrupted.
inline constexpr std::size_t kMaxPartialEvent = 2 * kMaxPayload;

// Reads the bodies of many streams (text/event-stream, HTML Living Standard 9.2.6: lines end in LF,
// CRLF or CR), fast for what most servers send: "id: ", "data: " and LF. The result does not depend
// on where the bytes are cut. A stream takes 16 bytes, and eight for each lane; an unfinished event
// is kept aside until it is whole.
//
// Not thread-safe.
class StreamChecker {
 public:
  struct Setup {
    const PayloadFormat& format;     // outlives the checker
    LatencyHistogram& latency;       // outlives the checker; from due to receipt
    const Unpublished& unpublished;  // outlives the checker
    std::uint32_t streams = 0;
    std::uint32_t first_index = 0;  // see LaneTable
    std::uint32_t topics = 1;
    std::uint32_t lanes = 1;
  };
  // Bytes that feed() may overwrite in front of what it is given, to join it with what was kept.
  static constexpr std::size_t kFront = std::size_t{8} * 1024;

  explicit StreamChecker(const Setup& setup);
  StreamChecker(const StreamChecker&) = delete;
  StreamChecker& operator=(const StreamChecker&) = delete;

  // The next bytes of the stream's body, received at `now_ns`. The kFront bytes before `bytes` are
  // overwritten.
  void feed(std::uint32_t stream, char* bytes, std::size_t size, std::uint64_t now_ns);
  // The same of a body in chunks; the decoder's state says whether it has come to its end.
  void feed_chunks(std::uint32_t stream, ChunkDecoder& decoder, std::span<char> bytes,
                   std::uint64_t now_ns);
  // The connection ended: half an event was not received.
  void end_of_stream(std::uint32_t stream);

  // What the next connect sends as Last-Event-ID: the id of the last whole block that had one.
  [[nodiscard]] std::string_view last_event_id(std::uint32_t stream) const {
    return IdTable::text(states_[stream].last_id);
  }
  void set_last_event_id(std::uint32_t stream, std::string_view id);
  // The stream leaves for good: of what it lacks, that is forgotten which was not published.
  void settle(std::uint32_t stream) { lanes_.settle(stream, totals_); }
  // What each stream must get.
  [[nodiscard]] LaneTable& lanes() { return lanes_; }
  [[nodiscard]] const LaneTable& lanes() const { return lanes_; }

  [[nodiscard]] const CheckTotals& totals() const { return totals_; }
  // Streams that have received an event of this run.
  [[nodiscard]] std::uint32_t heard() const { return heard_; }
  // Unfinished events that are kept now.
  [[nodiscard]] std::size_t partial_events() const { return partials_.size() - free_.size(); }

 private:
  struct State {
    IdTable::Handle last_id = nullptr;
    std::uint32_t partial = 0;  // place in partials_ and one; 0: none
    bool has_heard = false;
  };
  struct Block;

  // Returns the start of what is no whole block yet. `id`: of the last block that had one.
  template <bool kWithCr>
  const char* read_blocks(std::uint32_t stream, std::string_view bytes, std::uint64_t now_ns,
                          std::optional<std::string_view>& id);
  void add_line(Block& block, std::string_view line);
  void add_data(Block& block, std::string_view value);
  void dispatch(std::uint32_t stream, const Block& block, std::string_view whole,
                std::uint64_t now_ns);
  void on_event(std::uint32_t stream, const Stamp& stamp, std::uint64_t now_ns);
  void keep(State& state, std::string_view rest);
  void drop_partial(State& state);

  const PayloadFormat& format_;
  LatencyHistogram& latency_;
  LaneTable lanes_;
  IdTable ids_;
  std::vector<State> states_;
  std::vector<std::string> partials_;
  std::vector<std::uint32_t> free_;  // places in partials_
  std::string joined_;               // of a block with several data lines
  CheckTotals totals_;
  std::uint32_t heard_ = 0;
};

}  // namespace tocsin::load
