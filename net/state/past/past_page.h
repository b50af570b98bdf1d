// A page of what the store keeps and memory has not: events of all topics in their order, with the
// frames that they had when they were live (core/page.h). All who read that stretch share it, and
// each picks its own topics.
//
// Threads: built by one; then it does not change, and any may read it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/batch.h"
#include "core/hub.h"
#include "core/page.h"

namespace tocsin::net {

class PastPage {
 public:
  // Takes the event, which is behind those that are there; false: the page is full. It has
  // limits::kMaxReplayEvents at most, of limits::kMaxReplayPage bytes together, or one that is
  // larger.
  [[nodiscard]] bool take(proto::EventId id, const core::NewEvent& event);
  // It has all events of (above, last()] that there are. REQUIRES: it has no event at or below
  // `above`; where it has none, `above` is the last.
  void begin_behind(core::Sequence above);

  [[nodiscard]] core::Sequence above() const { return above_; }
  [[nodiscard]] core::Sequence last() const { return last_; }
  // Of memory.
  [[nodiscard]] std::size_t bytes() const { return bytes_; }
  [[nodiscard]] std::size_t events() const { return topic_of_.size(); }

  // The page's frames of these topics above `after`, each above its topic's `from`, in their order:
  // at most `max_bytes` of them but at least one, in `max_pieces` pieces (appended to `out`). None:
  // it has no more.
  void read(std::span<const core::TopicCursor> topics, core::Sequence after, std::size_t max_bytes,
            std::size_t max_pieces, std::vector<core::Piece>& out) const;

 private:
  core::Sequence above_ = 0;
  core::Sequence last_ = 0;
  std::size_t bytes_ = 0;
  core::PageRef page_;                   // null: there is no event
  std::vector<std::uint32_t> topic_of_;  // by frame: a number of topics_
  std::map<std::string, std::uint32_t, std::less<>> topics_;
};

}  // namespace tocsin::net
