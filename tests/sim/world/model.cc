#include "tests/sim/world/model.h"

#include <algorithm>
#include <limits>

#include <fmt/format.h>

namespace tocsin::sim {

std::string Model::take_in(net::ServerState& state, core::ShardId shard,
                           const std::vector<std::string>& topics, std::uint64_t now_ms) {
  const Sequence known = last();
  struct Found {
    Sequence sequence;
    std::string topic;
    std::string frame;
    std::uint64_t time_ms;  // of one that has waited for the shards, when it began to
  };
  std::vector<Found> found;
  std::string error;
  const Sequence newest = state.hub.with([&](core::Hub& hub) {
    if (hub.last_sequence() == known) return known;
    for (const std::string& topic : topics) {
      const std::string_view name = topic;
      const auto subscription = hub.subscribe({&name, 1}, {}, shard, now_ms);
      if (!subscription) continue;
      std::vector<core::Piece> pieces;
      const auto status = hub.read(subscription->topics, known, SIZE_MAX / 2, SIZE_MAX, pieces);
      hub.drop_reader(subscription->topics);
      hub.leave(*subscription->topics.front().topic, shard, now_ms);
      if (status == core::ReadStatus::gap) error = kLostTrack;
      for (const core::Piece& piece : pieces) {
        for (std::uint32_t i = piece.first; i < piece.last; ++i) {
          found.push_back({piece.page->sequence_of(i), topic, std::string{piece.page->frame(i)},
                           piece.page->time_of(i)});
        }
      }
    }
    return hub.last_sequence();
  });
  std::ranges::sort(found, {}, &Found::sequence);
  for (const Found& event : found) {
    if (event.sequence == last()) continue;  // a topic that was named twice
    if (event.sequence != last() + 1) break;
    if (event.time_ms > now_ms) error = fmt::format("event {} of the future", event.sequence);
    add(event.sequence, event.topic, event.frame, event.time_ms);
  }
  if (error.empty() && last() != newest) error = fmt::format("no trace of event {}", last() + 1);
  return error;
}

void Model::add(Sequence s, std::string topic, std::string_view frame, std::uint64_t time_ms) {
  TopicEvents& of = topics_[topic];
  ModelEvent event;
  const std::size_t id = frame.rfind("\nid: ") + 5;
  event.id = frame.substr(id, frame.size() - 2 - id);
  event.topic = std::move(topic);
  event.frame = frame;
  event.time_ms = time_ms;
  event.place = of.sequences.size();
  event.topic_bytes = of.bytes;
  of.sequences.push_back(s);
  of.bytes += proto::chunk_size(frame.size());
  bytes_ += proto::chunk_size(frame.size());
  by_id_.try_emplace(event.id, s);
  events_.push_back(std::move(event));
}

Sequence Model::find(std::string_view id) const {
  const auto it = by_id_.find(id);
  return it == by_id_.end() ? 0 : it->second;
}

Sequence Model::next(const std::string& topic, Sequence after) const {
  const auto it = topics_.find(topic);
  if (it == topics_.end()) return 0;
  const auto& all = it->second.sequences;
  const auto at = std::upper_bound(all.begin(), all.end(), after);
  return at == all.end() ? 0 : *at;
}

Sequence Model::next(const std::vector<std::string>& topics, Sequence after) const {
  Sequence first = 0;
  for (const std::string& topic : topics) {
    const Sequence s = next(topic, after);
    if (s != 0 && (first == 0 || s < first)) first = s;
  }
  return first;
}

void Model::limit_history(const net::ServerOptions& options) {
  count_ = std::min<std::size_t>(count_, options.history_count);
  history_bytes_ = std::min(history_bytes_, options.history_bytes);
  total_bytes_ = std::min(total_bytes_, options.history_total_bytes);
  if (options.history_age_s != 0) {
    age_ms_ = std::min(age_ms_, std::uint64_t{options.history_age_s} * 1000);
  }
}

bool Model::may_be_gone(Sequence s, std::uint64_t now_ms) const {
  const ModelEvent& event = at(s);
  const TopicEvents& of = topics_.at(event.topic);
  // A page has at most this much more than its frames: room that is free, and the slots.
  constexpr std::uint64_t kPageShare = 8;
  return of.sequences.size() - event.place > count_ ||
         of.bytes - event.topic_bytes > history_bytes_ || now_ms - event.time_ms > age_ms_ ||
         bytes_ * kPageShare > total_bytes_;
}

}  // namespace tocsin::sim
