#include "tools/load/subscribers/lane_table.h"

#include <algorithm>

#include "proto/assert.h"

namespace tocsin::load {

LaneTable::LaneTable(std::uint32_t streams, std::uint32_t first_index, std::uint32_t topics,
                     std::uint32_t lanes, const Unpublished& unpublished)
    : first_index_(first_index),
      topics_(topics),
      lanes_(lanes),
      lanes_each_((lanes + topics - 1) / topics),
      unpublished_(unpublished),
      positions_(std::size_t{streams} * lanes_each_, kNothing) {
  TOCSIN_ASSERT(topics > 0 && lanes >= topics);
}

void LaneTable::expect_nothing(std::uint32_t stream) {
  for (std::uint32_t i = 0; i < lanes_each_; ++i) {
    const std::size_t at = (std::size_t{stream} * lanes_each_) + i;
    positions_[at] = kNothing;
    if (!missing_.empty()) missing_.erase(at);
  }
}

void LaneTable::expect_from_now(std::uint32_t stream, const PublishProgress& published) {
  for (std::uint32_t lane = topic_of(stream); lane < lanes_; lane += topics_) {
    const std::uint64_t now = published.submitted[lane].load(std::memory_order_relaxed);
    positions_[position_of(stream, lane)] = kFresh | now;
  }
}

void LaneTable::expect_all(std::uint32_t stream) {
  for (std::uint32_t lane = topic_of(stream); lane < lanes_; lane += topics_) {
    positions_[position_of(stream, lane)] = 0;
  }
}

void LaneTable::tell(std::uint32_t stream) {
  for (std::uint32_t lane = topic_of(stream); lane < lanes_; lane += topics_) {
    positions_[position_of(stream, lane)] |= kTold;
  }
}

bool LaneTable::place_odd(std::uint64_t& position, std::uint32_t lane, std::uint64_t number,
                          CheckTotals& totals) {
  const std::uint64_t next = position & kNumber;
  const bool is_fresh = (position & kFresh) != 0;
  const auto at = static_cast<std::size_t>(&position - positions_.data());
  if (number < next) {
    const bool is_published = unpublished_.count(lane, number, number + 1) == 0;
    if (!is_fresh) return place_late(at, number, is_published, totals);
    // A late one: what follows it in the lane came before the stream.
    if (!is_published) return true;
  }
  if (number > next) miss(at, {next, number, (position & kTold) != 0}, totals);
  const bool is_joined = is_fresh ? unpublished_.count(lane, 0, std::min(number, next)) > 0
                                  : (position & kJoined) != 0;
  position = (number + 1) | (is_joined ? kJoined : 0);
  return true;
}

void LaneTable::miss(std::size_t position, Range range, CheckTotals& totals) {
  (range.told ? totals.told : totals.lost) += range.last - range.first;
  std::deque<Range>& ranges = missing_[position];
  if (ranges.size() >= kMaxGaps) ranges.pop_front();
  ranges.push_back(range);
}

// A request that was given up is still read by a server that stood still, if need be after those of
// the publisher's next connection.
bool LaneTable::place_late(std::size_t position, std::uint64_t number, bool is_published,
                           CheckTotals& totals) {
  if (take_missing(position, number, totals)) {
    if (is_published) ++totals.reordered;
    return true;
  }
  const bool may_be_first = !is_published && (positions_[position] & kJoined) != 0;
  if (!may_be_first) ++totals.duplicated;
  return false;
}

bool LaneTable::take_missing(std::size_t position, std::uint64_t number, CheckTotals& totals) {
  const auto found = missing_.find(position);
  if (found == missing_.end()) return false;
  std::deque<Range>& ranges = found->second;
  const auto it = std::ranges::upper_bound(ranges, number, {}, &Range::last);
  if (it == ranges.end() || it->first > number) return false;
  const Range range = *it;
  const auto rest = ranges.erase(it);
  const auto after =
      number + 1 < range.last ? ranges.insert(rest, {number + 1, range.last, range.told}) : rest;
  if (range.first < number) ranges.insert(after, {range.first, number, range.told});
  if (ranges.empty()) missing_.erase(found);
  --(range.told ? totals.told : totals.lost);
  return true;
}

void LaneTable::settle(std::uint32_t stream, CheckTotals& totals) const {
  if (missing_.empty()) return;
  for (std::uint32_t lane = topic_of(stream); lane < lanes_; lane += topics_) {
    const auto found = missing_.find(position_of(stream, lane));
    if (found == missing_.end()) continue;
    for (const Range& range : found->second) {
      (range.told ? totals.told : totals.lost) -= unpublished_.count(lane, range.first, range.last);
    }
  }
}

void LaneTable::finish(std::uint32_t stream, const PublishProgress& published, bool is_away,
                       CheckTotals& totals) const {
  settle(stream, totals);
  for (std::uint32_t lane = topic_of(stream); lane < lanes_; lane += topics_) {
    const std::uint64_t position = positions_[position_of(stream, lane)];
    const std::uint64_t submitted = published.submitted[lane].load(std::memory_order_relaxed);
    const std::uint64_t next = position & kNumber;
    if (submitted <= next) continue;
    const bool is_told = (position & kTold) != 0;
    (is_away   ? totals.away
     : is_told ? totals.told
               : totals.lost) += submitted - next - unpublished_.count(lane, next, submitted);
  }
}

}  // namespace tocsin::load
