// What an operator decides about the hub's memory and its topics.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/slow_policy.h"
#include "proto/limits.h"

namespace tocsin::core {

// Milliseconds of a monotonic clock that starts with the process; core never reads a clock.
using TimeMs = std::uint64_t;

// When a publish request had been read: microseconds of the same clock, their low 32 bits. The
// difference of two is right modulo 71 minutes, which is longer than a live event is on its way.
using ReceiptUs = std::uint32_t;

// What a topic keeps for subscribers that come (back) later. An event is kept while ALL hold.
struct HistoryLimits {
  std::size_t count = 1000;
  TimeMs age_ms = 300'000;
  std::size_t bytes = limits::kMiB;  // wire bytes
};

// How far a connection whose socket is full may fall behind before the slow-consumer policy acts.
// The log keeps this window even where history keeps less, so that a subscriber with an ordinary
// hiccup misses nothing.
struct BacklogLimits {
  std::size_t bytes = 4 * limits::kMiB;
  TimeMs age_ms = 30'000;
};

// How a topic's data is sent. Publishers ask (Hub::data_form) before they encode.
struct DataForm {
  bool base64 = false;
  bool envelope = false;  // {"topic":…,"data":…}: proto/json/envelope.h

  [[nodiscard]] bool changes_data() const { return base64 || envelope; }
  friend bool operator==(const DataForm&, const DataForm&) = default;
};

// What a topic does otherwise than the hub; nothing: as the hub.
struct TopicSettings {
  std::optional<std::size_t> history_count{};
  std::optional<TimeMs> history_age_ms{};
  std::optional<std::size_t> history_bytes{};
  std::optional<std::size_t> backlog_bytes{};
  std::optional<SlowPolicy> slow_policy{};
  std::optional<std::size_t> max_event_bytes{};
  // A subscriber that names no position begins at `earliest`.
  bool auto_replay = false;
  DataForm data{};

  friend bool operator==(const TopicSettings&, const TopicSettings&) = default;
};

// Settings of all topics whose names match: core/namespaces.h.
struct Namespace {
  std::string name{};   // for people; several of one name are counted together
  std::string match{};  // proto/text/name_pattern.h
  TopicSettings settings{};

  friend bool operator==(const Namespace&, const Namespace&) = default;
};

struct HubSettings {
  HistoryLimits history{};
  BacklogLimits backlog{};
  SlowPolicy slow_policy = SlowPolicy::disconnect;
  // A larger event is refused: frame_bytes() of it.
  std::size_t max_event_bytes = limits::kMaxEncodedBatch;
  // Memory of all pages, counted whole: of the logs, and of those that a log has dropped and a
  // reader is in the middle of (at most a part of it, limits::kPinnedShare). Past it the hub's
  // oldest page goes.
  std::size_t total_bytes = 256 * limits::kMiB;
  // A topic without subscribers and without history is forgotten after this.
  TimeMs topic_idle_ms = 60'000;
  // Topics in memory; past it no new one is made until some are forgotten.
  std::size_t max_topics = 2'000'000;
  // True: a topic exists once somebody subscribes or publishes. False: only those in `topics`.
  bool auto_topics = true;
  // What is published with ids of its own, and is kept, is not published again: Hub::publish().
  bool ids_once = false;
  std::vector<std::string> topics{};
  // Topics whose data is sent in an envelope, besides those whose settings say so: names and
  // patterns (proto/text/name_pattern.h).
  std::vector<std::string> envelope_topics{};
  // In order: a topic has the settings of the first that its name matches. At most
  // limits::kMaxNamespaces.
  std::vector<Namespace> namespaces{};

  // Some topic's data is sent otherwise than it came.
  [[nodiscard]] bool changes_data() const {
    return !envelope_topics.empty() ||
           std::ranges::any_of(namespaces, [](const Namespace& space) {
             return space.settings.data.changes_data();
           });
  }
};

}  // namespace tocsin::core
