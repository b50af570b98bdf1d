// What one receiver checks of its stream: every event whole, once, in order, none missing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "bench/histogram.h"
#include "bench/payload.h"

namespace tocsin::bench {

// Totals of one thread's receivers.
struct CheckTotals {
  std::uint64_t delivered = 0;   // events of this run, each counted once for each receiver
  std::uint64_t lost = 0;        // not arrived (yet): one that comes late leaves this count again
  std::uint64_t duplicated = 0;  // arrived again
  std::uint64_t reordered = 0;   // arrived after a later one
  std::uint64_t corrupted = 0;   // an event without a type that is no whole payload, or a bad line
  std::uint64_t foreign = 0;     // events of another run
  std::uint64_t typed = 0;       // events with a type: the server's own (a gap, for instance)
  std::uint64_t comments = 0;    // heartbeats and greetings
  std::string sample;            // the first odd block (corrupted or typed), for the report
  Histogram latency;             // of every delivery but the duplicated

  void merge(const CheckTotals& other);
};

// Reads the stream of one subscriber. Specialised to what a hub sends to this client (lines end in
// LF, one data line for each event), and cheap enough that the client is not what is measured; the
// result does not depend on where the bytes are cut.
//
// Not thread-safe. Use: copy the rest() of the last read in front of what is read next, and feed
// both together.
class StreamCheck {
 public:
  explicit StreamCheck(std::uint16_t lanes = 1) : lanes_(lanes) {}

  // Bytes of an incomplete event. Valid until the next feed().
  [[nodiscard]] std::string_view rest() const { return rest_; }

  // `bytes` begins with rest() and was received at `now_ns`. Returns the number of new events.
  std::uint64_t feed(std::string_view bytes, std::uint64_t now_ns, const PayloadFormat& format,
                     CheckTotals& totals);

  // The connection ended: half an event was not received.
  void cut() { rest_.clear(); }

  // Counts as lost what the run published (`published`: one number for each lane) and this
  // receiver has not seen at all. Once, at the end.
  void finish(const std::vector<std::uint64_t>& published, CheckTotals& totals) const;

  // The id of the last whole block that had one: what a reconnect sends.
  [[nodiscard]] std::string_view last_event_id() const { return last_event_id_; }
  [[nodiscard]] bool has_heard() const { return has_heard_; }

 private:
  struct Lane {
    std::uint64_t next = 0;  // the number after the highest seen
    std::vector<std::pair<std::uint64_t, std::uint64_t>> missing;  // [first, last) below next
  };
  struct Block;

  bool dispatch(const Block& block, std::uint64_t now_ns, const PayloadFormat& format,
                CheckTotals& totals);
  bool place(const Stamp& stamp, CheckTotals& totals);
  static bool take_missing(Lane& lane, std::uint64_t number);

  std::vector<Lane> lanes_;
  std::string rest_;
  std::string last_event_id_;
  bool has_heard_ = false;
};

// An incomplete event larger than this is dropped and counted as corrupted.
inline constexpr std::size_t kMaxRest = 2 * kMaxPayload;

}  // namespace tocsin::bench
