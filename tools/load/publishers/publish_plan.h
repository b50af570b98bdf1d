// Which events are published when: the modes of publishing, without any I/O. Time is an argument.
#pragma once

#include <cstdint>
#include <deque>
#include <limits>
#include <optional>
#include <random>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "tools/load/events/workload.h"
#include "tools/load/publishers/publisher.h"

namespace tocsin::load {

inline constexpr std::uint64_t kNever = std::numeric_limits<std::uint64_t>::max();

struct PlannedEvent {
  std::uint32_t lane;
  std::uint64_t due_ns;
  std::size_t bytes;
};

// Hands out the events of one request after another, for each connection. Not thread-safe.
class PublishPlan {
 public:
  // Mode rate: a batch that is not full goes when its first event has been in it for so long.
  static constexpr std::uint64_t kBatchWaitNs = 10'000'000;
  // Mode rate: events that are due but not written so long after the end stay unwritten.
  static constexpr std::uint64_t kGraceNs = 1'000'000'000;
  // Deliveries are not signalled, so they are looked at again and again: a full pipeline in steps
  // that are short against `ahead` events, one broadcast in steps of an eighth of what it has
  // taken.
  static constexpr std::uint64_t kAheadPauseNs = 200'000;
  static constexpr std::uint64_t kMinPauseNs = 50'000;
  static constexpr std::uint64_t kMaxPauseNs = 1'000'000;

  // What the answers say so far.
  struct Answers {
    std::uint64_t outstanding = 0;  // of all connections
    std::uint64_t refused = 0;
  };

  // `setup` outlives it. `mixes_topics`: a request may carry events of different topics.
  PublishPlan(const PublisherSetup& setup, bool is_history, bool mixes_topics,
              std::uint64_t now_ns);

  // The next request of connection `index`, valid until the next call. Empty: none now; ask again
  // at `wake_ns` (kNever: when an answer has come).
  [[nodiscard]] std::span<const PlannedEvent> next(std::uint32_t index, std::uint64_t now_ns,
                                                   const Answers& answers, std::uint64_t& wake_ns);

  // No connection gets another request.
  [[nodiscard]] bool is_over(std::uint64_t now_ns) const;

  // The duration, if there is one, has been over for kGraceNs.
  [[nodiscard]] bool is_past_grace(std::uint64_t now_ns) const;

  // Mode rate: events that were due before the end and were in no request. Call it at the end.
  [[nodiscard]] std::uint64_t unwritten();

  // Mode each: events that did not reach everybody in time.
  [[nodiscard]] std::uint64_t timeouts() const { return timeouts_; }
  // Modes each and full: why publishing ended early, because events arrive no more; or empty. One
  // event may be lost; waiting for each of many would take hours.
  [[nodiscard]] const std::string& gave_up() const { return gave_up_; }

 private:
  // Batches of mode rate that are not full, and when each was begun, oldest first. Of the latter
  // some have been sent since; `serial` tells.
  struct Batch {
    std::uint64_t serial = 0;
    std::vector<PlannedEvent> events;
  };
  struct Begun {
    std::uint64_t at_ns;
    std::uint32_t key;
    std::uint64_t serial;
  };
  // One connection's.
  struct Source {
    Source(const Workload& workload, std::uint32_t connections, std::uint32_t index);
    LaneChooser lanes;
    std::mt19937_64 random;
    std::uint64_t events = 0;
    std::optional<Ticker> ticker;
    std::unordered_map<std::uint32_t, Batch> batches;  // by lane, or 0 if they mix topics
    std::deque<Begun> begun;
    std::uint64_t history_left = 0;
    std::uint64_t history_round = 0;
    std::uint32_t history_turn = 0;
  };

  // In a row, of each_timeout_s.
  static constexpr std::uint32_t kMaxVainWaits = 2;

  [[nodiscard]] bool is_ended(std::uint64_t now_ns) const;
  [[nodiscard]] PlannedEvent event(Source& source, std::uint32_t lane, std::uint64_t due_ns) const;
  void draw(Source& source, std::uint64_t count, std::uint64_t now_ns);
  [[nodiscard]] std::uint64_t deliveries_of_drawn() const;

  [[nodiscard]] std::uint64_t history_of(std::uint32_t lane) const;
  void plan_history();
  void next_of_history(Source& source, std::uint32_t index, std::uint64_t now_ns);

  void next_at_rate(Source& source, std::uint64_t now_ns, std::uint64_t& wake_ns);
  [[nodiscard]] bool take_due(Source& source, std::uint64_t now_ns);

  [[nodiscard]] std::uint64_t each_allowance(std::uint32_t index, std::uint64_t now_ns,
                                             const Answers& answers, std::uint64_t& wake_ns);
  void begin_each(std::uint64_t now_ns, const Answers& answers);
  [[nodiscard]] std::uint64_t full_allowance(std::uint64_t now_ns, std::uint64_t& wake_ns);

  const PublisherSetup& setup_;
  const PublishLoad& publish_;
  const Workload& workload_;
  const bool is_history_;
  const bool mixes_topics_;
  std::vector<Source> sources_;
  std::vector<PlannedEvent> drawn_;
  std::uint64_t start_ns_;
  std::uint64_t end_ns_ = kNever;
  std::uint64_t limit_ = kNever;  // of events
  std::uint64_t taken_ = 0;       // events, those in batches that are not full included
  std::uint64_t serial_ = 0;      // of batches

  bool is_full_ = false;       // mode full: waits until a quarter of `ahead` is free
  bool each_is_open_ = false;  // mode each: an event is on its way
  std::uint64_t each_start_ns_ = 0;
  std::uint64_t each_base_ = 0;     // deliveries before it
  std::uint64_t each_goal_ = 0;     // deliveries that end the wait
  std::uint64_t each_refused_ = 0;  // refusals before it
  std::uint64_t timeouts_ = 0;
  std::uint32_t vain_waits_ = 0;  // in a row
  std::string gave_up_;
  std::uint32_t turn_ = 0;  // whose event is next

  std::uint64_t base_ = 0;         // mode full: deliveries before it
  std::uint64_t expected_ = 0;     // mode full: deliveries that the events bring about
  std::uint64_t written_off_ = 0;  // mode full: those of them that are taken for lost
  std::uint64_t seen_ = 0;         // mode full: deliveries at the last look
  std::uint64_t progress_ns_;      // mode full: when they last grew
};

}  // namespace tocsin::load
