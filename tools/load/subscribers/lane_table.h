// Where each stream stands in the lanes that it follows, and what it lacks.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <unordered_map>
#include <vector>

#include "proto/assert.h"
#include "tools/load/events/publish_progress.h"
#include "tools/load/figures/load_result.h"

namespace tocsin::load {

// A stream of topic t follows the lanes L with L % topics == t (workload.h). Eight bytes for each
// stream and lane; ranges of missing events only where there are some.
//
// Not thread-safe.
class LaneTable {
 public:
  // `first_index`: of the first stream, over all receivers: it decides the topics. `unpublished`
  // outlives this.
  LaneTable(std::uint32_t streams, std::uint32_t first_index, std::uint32_t topics,
            std::uint32_t lanes, const Unpublished& unpublished);

  // At first, and after expect_nothing(), a stream may begin with any event, and lacks nothing
  // while there is none. What it lacked before is forgotten (but stays counted).
  void expect_nothing(std::uint32_t stream);
  // The stream must get everything from what is submitted now. It may begin with an earlier event
  // of a lane, and from its first one on everything must follow.
  void expect_from_now(std::uint32_t stream, const PublishProgress& published);
  void expect_all(std::uint32_t stream);
  // The server said that events are missing: what is missing up to the next event of each lane is
  // told, not lost.
  void tell(std::uint32_t stream);

  [[nodiscard]] bool follows(std::uint32_t stream, std::uint32_t lane) const {
    if (lane >= lanes_) return false;
    return topics_ == 1 || lane % topics_ == topic_of(stream);
  }
  // Event `number` of `lane` arrived: counts what it shows in lost, told, reordered or duplicated.
  // One that is not known to be published may come at any time, but only once. True: for the first
  // time. REQUIRES: follows(stream, lane).
  bool place(std::uint32_t stream, std::uint32_t lane, std::uint64_t number, CheckTotals& totals) {
    TOCSIN_DEBUG_ASSERT(follows(stream, lane));
    std::uint64_t& position = positions_[position_of(stream, lane)];
    if (position != number) return place_odd(position, lane, number, totals);
    position = number + 1;
    return true;
  }
  // Takes out of lost and told what is not known to be published.
  void settle(std::uint32_t stream, CheckTotals& totals) const;
  // Settles, and counts what was submitted and has not come; `is_away`: as away, not as lost or
  // told.
  void finish(std::uint32_t stream, const PublishProgress& published, bool is_away,
              CheckTotals& totals) const;

  // An event that is so many gaps late counts as duplicated, not as reordered, and one that was not
  // published as lost: that bounds what is remembered of a stream that loses much.
  static constexpr std::size_t kMaxGaps = 256;

 private:
  struct Range {
    std::uint64_t first;
    std::uint64_t last;  // exclusive
    bool told;
  };
  // A position is the number that comes next, with:
  static constexpr std::uint64_t kFresh = std::uint64_t{1} << 63;  // an earlier one may come first
  static constexpr std::uint64_t kTold = std::uint64_t{1} << 62;   // after a gap event
  // It began after some events of the lane were given up: those may still come. Keeps place() from
  // its short way.
  static constexpr std::uint64_t kJoined = std::uint64_t{1} << 61;
  static constexpr std::uint64_t kNumber = kJoined - 1;
  static constexpr std::uint64_t kNothing = kFresh | kNumber;

  [[nodiscard]] std::size_t position_of(std::uint32_t stream, std::uint32_t lane) const {
    const std::uint32_t place = topics_ == 1 ? lane : lane / topics_;
    return (std::size_t{stream} * lanes_each_) + place;
  }
  [[nodiscard]] std::uint32_t topic_of(std::uint32_t stream) const {
    return (first_index_ + stream) % topics_;
  }
  bool place_odd(std::uint64_t& position, std::uint32_t lane, std::uint64_t number,
                 CheckTotals& totals);
  void miss(std::size_t position, Range range, CheckTotals& totals);
  bool place_late(std::size_t position, std::uint64_t number, bool is_published,
                  CheckTotals& totals);
  bool take_missing(std::size_t position, std::uint64_t number, CheckTotals& totals);

  std::uint32_t first_index_;
  std::uint32_t topics_;
  std::uint32_t lanes_;
  std::uint32_t lanes_each_;  // at most, of a stream
  const Unpublished& unpublished_;
  std::vector<std::uint64_t> positions_;
  std::unordered_map<std::size_t, std::deque<Range>> missing_;  // by position, in order
};

}  // namespace tocsin::load
