#include "bench/stream_check.h"

#include <cstring>

namespace tocsin::bench {

// What the lines of one block said. The views point into the bytes that are being fed.
struct StreamCheck::Block {
  std::string_view whole;
  std::string_view data;
  std::string_view id;
  std::uint32_t comments = 0;
  bool has_data = false;
  bool has_type = false;
  bool is_bad = false;

  void add(std::string_view line) {
    switch (line.front()) {
      case 'd':
        is_bad |= has_data || !line.starts_with("data: ");
        has_data = true;
        data = line.substr(line.size() < 6 ? line.size() : 6);
        break;
      case 'i':
        is_bad |= !line.starts_with("id: ");
        id = line.substr(line.size() < 4 ? line.size() : 4);
        break;
      case 'e':
        is_bad |= !line.starts_with("event: ");
        has_type = true;
        break;
      case 'r':
        is_bad |= !line.starts_with("retry: ");
        break;
      case ':':
        ++comments;
        break;
      default:
        is_bad = true;
    }
  }
};

void CheckTotals::merge(const CheckTotals& other) {
  delivered += other.delivered;
  lost += other.lost;
  duplicated += other.duplicated;
  reordered += other.reordered;
  corrupted += other.corrupted;
  foreign += other.foreign;
  typed += other.typed;
  comments += other.comments;
  if (sample.empty()) sample = other.sample;
  latency.merge(other.latency);
}

std::uint64_t StreamCheck::feed(std::string_view bytes, std::uint64_t now_ns,
                                const PayloadFormat& format, CheckTotals& totals) {
  std::uint64_t fresh = 0;
  std::string_view id;
  const char* start = bytes.data();  // of the block that is being read
  const char* const end = start + bytes.size();
  const char* line = start;
  Block block;
  while (line < end) {
    const auto* stop =
        static_cast<const char*>(std::memchr(line, '\n', static_cast<std::size_t>(end - line)));
    if (stop == nullptr) break;
    if (stop > line) {
      block.add({line, static_cast<std::size_t>(stop - line)});
      line = stop + 1;
      continue;
    }
    line = stop + 1;
    block.whole = {start, static_cast<std::size_t>(line - start)};
    if (!block.id.empty()) id = block.id;
    if (dispatch(block, now_ns, format, totals)) ++fresh;
    block = Block{};
    start = line;
  }
  if (!id.empty()) last_event_id_.assign(id);
  rest_.assign(start, static_cast<std::size_t>(end - start));
  // A heartbeat is a comment line without an empty line after it: on an idle stream they would pile
  // up in front of the next event.
  while (rest_.starts_with(':')) {
    const std::size_t stop = rest_.find('\n');
    if (stop == std::string::npos) break;
    rest_.erase(0, stop + 1);
    ++totals.comments;
  }
  if (rest_.size() > kMaxRest) {
    ++totals.corrupted;
    rest_.clear();
  }
  return fresh;
}

bool StreamCheck::dispatch(const Block& block, std::uint64_t now_ns, const PayloadFormat& format,
                           CheckTotals& totals) {
  totals.comments += block.comments;
  Stamp stamp;
  Verdict verdict = Verdict::corrupt;
  if (!block.is_bad) {
    if (!block.has_data) return false;
    if (!block.has_type) verdict = format.read(block.data, stamp);
  }
  if (verdict == Verdict::good && stamp.lane < lanes_.size()) {
    if (!place(stamp, totals)) return false;
    has_heard_ = true;
    ++totals.delivered;
    totals.latency.record(now_ns > stamp.sent_at_ns ? now_ns - stamp.sent_at_ns : 0);
    return true;
  }
  if (verdict == Verdict::foreign) {
    ++totals.foreign;
    return false;
  }
  ++(block.has_type && !block.is_bad ? totals.typed : totals.corrupted);
  if (totals.sample.empty()) totals.sample = block.whole.substr(0, 400);
  return false;
}

bool StreamCheck::place(const Stamp& stamp, CheckTotals& totals) {
  Lane& lane = lanes_[stamp.lane];
  if (stamp.number == lane.next) {
    ++lane.next;
    return true;
  }
  if (stamp.number > lane.next) {
    totals.lost += stamp.number - lane.next;
    lane.missing.emplace_back(lane.next, stamp.number);
    lane.next = stamp.number + 1;
    return true;
  }
  if (!take_missing(lane, stamp.number)) {
    ++totals.duplicated;
    return false;
  }
  --totals.lost;
  ++totals.reordered;
  return true;
}

bool StreamCheck::take_missing(Lane& lane, std::uint64_t number) {
  for (auto it = lane.missing.begin(); it != lane.missing.end(); ++it) {
    const auto [first, last] = *it;
    if (number < first || number >= last) continue;
    it = lane.missing.erase(it);
    if (number + 1 < last) it = lane.missing.insert(it, {number + 1, last});
    if (first < number) lane.missing.insert(it, {first, number});
    return true;
  }
  return false;
}

void StreamCheck::finish(const std::vector<std::uint64_t>& published, CheckTotals& totals) const {
  for (std::size_t i = 0; i < lanes_.size() && i < published.size(); ++i) {
    if (published[i] > lanes_[i].next) totals.lost += published[i] - lanes_[i].next;
  }
}

}  // namespace tocsin::bench
