// The naive model of the hub: every event ever published in one vector, and what follows from it
// for each reader: what it must get, what may be gone, and what may not.
//
// The model asks the hub one thing: up to where a topic's memory is dropped (TopicLog::dropped), as
// that depends on the borders of pages. It checks that this never takes an event that must stay.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/hub.h"
#include "proto/http/framing.h"
#include "proto/sse/wire_id.h"
#include "tests/fuzz/fuzz_input.h"

namespace tocsin::fuzz {

using core::Sequence;
using core::ShardId;
using core::TimeMs;

inline constexpr proto::Epoch kEpoch = 0x9f3c21ab;
inline constexpr ShardId kShards = 3;
inline constexpr std::size_t kTopics = 6;
inline constexpr std::size_t kDeclared = 4;  // of them, where topics are not made by use
inline constexpr std::uint64_t kEndless = ~std::uint64_t{0};

inline constexpr std::array<std::string_view, kTopics> kNames = {
    "t0", "t1", "t2", "t3", "a topic with a long name that is no short string", "t5"};

struct PublishedEvent {
  std::size_t topic;
  std::string id;
  std::string frame;
  TimeMs time;
  const char* address = nullptr;  // where the first reader got it
};

struct ModelReader {
  ShardId shard;
  core::Subscription at;
  std::vector<std::size_t> topics;  // in the order of at.topics

  // Where in `topics`.
  [[nodiscard]] std::optional<std::size_t> place(std::size_t topic) const {
    const auto it = std::find(topics.begin(), topics.end(), topic);
    if (it == topics.end()) return std::nullopt;
    return static_cast<std::size_t>(it - topics.begin());
  }
  [[nodiscard]] Sequence dropped(std::size_t i) const { return at.topics[i].topic->log.dropped(); }
};

class HubModel {
 public:
  struct Use {
    core::Topic* topic = nullptr;
    int readers = 0;
  };

  PublishedEvent& event(Sequence sequence) { return events[sequence - 1]; }
  [[nodiscard]] Sequence newest() const { return events.size(); }

  // The topic as the shard knows it; null if it does not read it.
  core::Topic* pointer(ShardId shard, std::size_t topic) {
    const auto it = uses.find({shard, topic});
    return it == uses.end() ? nullptr : it->second.topic;
  }

  // All events above the reader's position, kept or not.
  std::vector<Sequence> owed(const ModelReader& reader) {
    std::vector<Sequence> result;
    for (Sequence s = reader.at.cursor + 1; s <= newest(); ++s) {
      const auto i = reader.place(event(s).topic);
      if (i && s > reader.at.topics[*i].from) result.push_back(s);
    }
    return result;
  }
  // Right before the first event above `cursor` that the reader is given: what a gap's id is.
  Sequence before_next(const ModelReader& reader, Sequence cursor) {
    for (Sequence s = cursor + 1; s <= newest(); ++s) {
      const auto i = reader.place(event(s).topic);
      if (i && s > reader.at.topics[*i].from) return s - 1;
    }
    return newest();
  }
  bool is_gone(const ModelReader& reader, Sequence s) {
    return s <= reader.dropped(*reader.place(event(s).topic));
  }
  bool any_gone(const ModelReader& reader, const std::vector<Sequence>& sequences) {
    return std::any_of(sequences.begin(), sequences.end(),
                       [&](Sequence s) { return is_gone(reader, s); });
  }

  // The last event that history does not keep, of the reader's topic `i`.
  Sequence floor(const ModelReader& reader, std::size_t i) {
    const core::HistoryLimits& history = settings.history;
    const auto kept = [&](std::size_t count, std::size_t size, const PublishedEvent& e) {
      return count < history.count && size + proto::chunk_size(e.frame.size()) <= history.bytes &&
             now - e.time <= history.age_ms;
    };
    return std::max(newest_not(reader.topics[i], kept), reader.dropped(i));
  }

  // What must hold after every operation.
  void check(const core::Hub& hub, const std::vector<ModelReader>& readers) {
    require(hub.last_sequence() == newest(), "sequences are dense");
    require(hub.events_encoded() == newest(), "encoded once");
    require(hub.encoded_bytes() == bytes, "bytes are counted");
    check_dropped();
    for (const ModelReader& reader : readers) check_behind(hub, reader);
  }

  // A new reader, before it has read.
  void check_begin(const ModelReader& reader, const core::Resume& resume) {
    using Kind = core::Resume::Kind;
    const Sequence cursor = reader.at.cursor;
    if (resume.kind == Kind::live) {
      return require(cursor == newest() && !reader.at.gap, "live begins at the end");
    }
    Sequence least = newest();
    for (std::size_t i = 0; i < reader.topics.size(); ++i) {
      require(reader.at.topics[i].from == floor(reader, i), "history is exact");
      least = std::min(least, reader.at.topics[i].from);
    }
    if (resume.kind == Kind::earliest) {
      return require(cursor == least && !reader.at.gap, "earliest is all that is kept, and no gap");
    }
    std::optional<Sequence> known;  // the newest position that some id stands for, or an older one
    for (const std::string_view id : resume.ids) {
      const Meant meant = meaning_of(id, reader);
      if (meant.certain) known = std::max(known, std::optional{std::ranges::min(meant.positions)});
    }
    if (reader.at.gap == core::GapReason::unknown_id) {
      return require(cursor == before_next(reader, least) && !known,
                     "unknown ids, then all that is kept");
    }
    const Meant meant = meaning_of(reader.at.last_event_id, reader);
    const bool fits = std::ranges::any_of(meant.positions, [&](Sequence position) {
      if (position < known) return false;
      bool lost = false;
      for (Sequence s = position + 1; s <= newest(); ++s) {
        const auto i = reader.place(event(s).topic);
        lost = lost || (i && s <= reader.at.topics[*i].from);
      }
      const Sequence begin = std::max(least, position);
      return cursor == (lost ? before_next(reader, begin) : begin) &&
             reader.at.gap.has_value() == lost;
    });
    require(fits, "resumes after the newest of its ids; a gap is told if and only if there is one");
  }

  core::HubSettings settings;
  bool capped = false;  // a cap was ever set: it may take what the limits would keep
  TimeMs now = 1;
  std::vector<PublishedEvent> events;  // by sequence - 1
  std::uint64_t bytes = 0;
  std::map<std::pair<ShardId, std::size_t>, Use> uses;
  std::array<std::vector<Sequence>, kShards> news;       // not collected
  std::array<std::vector<Sequence>, kShards> collected;  // not swept
  std::array<bool, kShards> sweeping{};

 private:
  // The positions that an id may stand for.
  struct Meant {
    std::vector<Sequence> positions;
    bool certain = false;  // one of them is in the index for sure
  };
  Meant meaning_of(std::string_view id, const ModelReader& reader) {
    Meant meant;
    if (const auto own = proto::parse_event_id(id); own && own->epoch == kEpoch) {
      meant.certain = own->sequence <= newest();
      if (meant.certain) meant.positions.push_back(own->sequence);
      return meant;
    }
    std::set<std::size_t> used;
    for (Sequence s = 1; s <= newest() && !meant.certain; ++s) {
      if (!reader.place(event(s).topic) || event(s).id != proto::wire_id(id)) continue;
      const bool first_use = used.insert(event(s).topic).second;
      if (is_gone(reader, s)) continue;
      // A use after one that is gone need not be in the index.
      meant.positions.push_back(s);
      meant.certain = first_use;
    }
    return meant;
  }

  // The newest event of a topic that `needed(events behind it, their bytes, it)` denies.
  template <typename Needed>
  Sequence newest_not(std::size_t topic, const Needed& needed) {
    std::size_t count = 0;
    std::size_t size = 0;
    for (Sequence s = newest(); s > 0; --s) {
      if (event(s).topic != topic) continue;
      if (!needed(count, size, event(s))) return s;
      ++count;
      size += proto::chunk_size(event(s).frame.size());
    }
    return 0;
  }

  void check_dropped() {
    const auto needed = [&](std::size_t count, std::size_t size, const PublishedEvent& e) {
      const TimeMs age = now - e.time;
      return (count < settings.history.count && size < settings.history.bytes &&
              age <= settings.history.age_ms) ||
             (size < settings.backlog.bytes && age <= settings.backlog.age_ms);
    };
    for (std::size_t t = 0; t < kTopics; ++t) {
      may_be_gone_[t] = std::max(may_be_gone_[t], newest_not(t, needed));
    }
    for (const auto& [key, use] : uses) {
      if (use.readers == 0 || capped) continue;
      for (Sequence s = std::min(use.topic->log.dropped(), newest()); s > may_be_gone_[key.second];
           --s) {
        require(event(s).topic != key.second, "nothing needed is dropped");
      }
    }
    for (ShardId shard = 0; shard < kShards; ++shard) {
      for (const auto* unswept : {&news[shard], &collected[shard]}) {
        for (const Sequence s : *unswept) {
          require(pointer(shard, event(s).topic)->log.dropped() < s, "unswept events stay");
        }
      }
    }
  }

  void check_behind(const core::Hub& hub, const ModelReader& reader) {
    core::Hub::Behind expected;
    for (const Sequence s : owed(reader)) {
      if (is_gone(reader, s)) continue;
      expected.bytes += proto::chunk_size(event(s).frame.size());
      if (!expected.since) expected.since = event(s).time;
    }
    const core::Hub::Behind behind = hub.behind(reader.at.topics, reader.at.cursor);
    require(behind.bytes == expected.bytes && behind.since == expected.since, "how far behind");
  }

  std::array<Sequence, kTopics> may_be_gone_{};
};

}  // namespace tocsin::fuzz
