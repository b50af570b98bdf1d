// What was published, by topic and in order, as naively as can be; and the rules by which the hub
// may have let go of an event.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "net/state/server_state.h"

namespace tocsin::sim {

using proto::Sequence;

struct ModelEvent {
  std::string topic;
  std::string id;     // on the wire
  std::string frame;  // its bytes on the wire
  std::uint64_t time_ms = 0;
  std::size_t place = 0;          // among its topic's events
  std::uint64_t topic_bytes = 0;  // of its topic before it
};

class Model {
 public:
  static constexpr std::string_view kLostTrack = "events were dropped before the model saw them";

  // Takes in what was published since the last call, by reading the log of the topics named (all
  // that may have been published to) right after. `shard`: one that no real shard has. Empty, or
  // what went wrong.
  [[nodiscard]] std::string take_in(net::ServerState& state, core::ShardId shard,
                                    const std::vector<std::string>& topics, std::uint64_t now_ms);

  [[nodiscard]] Sequence last() const { return events_.size(); }
  [[nodiscard]] bool has(Sequence s) const { return s >= 1 && s <= last(); }
  [[nodiscard]] const ModelEvent& at(Sequence s) const { return events_[s - 1]; }
  // Of the event that has this id in one of the topics, 0 if none.
  [[nodiscard]] Sequence find(std::string_view id) const;
  // The first event of `topic` above `after`; 0 if none.
  [[nodiscard]] Sequence next(const std::string& topic, Sequence after) const;
  // The first event of any of them above `after`; 0 if none.
  [[nodiscard]] Sequence next(const std::vector<std::string>& topics, Sequence after) const;

  // History's limits changed; the narrowest of all counts from then on.
  void limit_history(const net::ServerOptions& options);
  // What a store has above this is given to who resumes there; nothing: only memory has any.
  void set_past_floor(Sequence floor) { past_floor_ = floor; }
  [[nodiscard]] std::optional<Sequence> past_floor() const { return past_floor_; }
  // True: nobody may have it any more.
  [[nodiscard]] bool may_be_lost(Sequence s, std::uint64_t now_ms) const {
    return (!past_floor_ || s <= *past_floor_) && may_be_gone(s, now_ms);
  }
  // True: memory may have let go of it by now.
  [[nodiscard]] bool may_be_gone(Sequence s, std::uint64_t now_ms) const;

 private:
  struct TopicEvents {
    std::vector<Sequence> sequences;
    std::uint64_t bytes = 0;
  };
  void add(Sequence s, std::string topic, std::string_view frame, std::uint64_t time_ms);

  std::vector<ModelEvent> events_;
  std::map<std::string, TopicEvents, std::less<>> topics_;
  std::map<std::string, Sequence, std::less<>> by_id_;
  std::uint64_t bytes_ = 0;

  std::size_t count_ = SIZE_MAX;
  std::uint64_t history_bytes_ = UINT64_MAX;
  std::uint64_t total_bytes_ = UINT64_MAX;
  std::uint64_t age_ms_ = UINT64_MAX;
  std::optional<Sequence> past_floor_;
};

}  // namespace tocsin::sim
