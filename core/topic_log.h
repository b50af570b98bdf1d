// One topic's events, newest at the end, in pages; the one structure behind live delivery,
// catch-up after a reconnect, and slow readers.
//
// Two bounds with two purposes:
//  - history: what a subscriber may resume from. Exact, frame by frame: history_floor().
//  - memory: pages go when neither history, nor the backlog window of slow connections, nor a
//  shard
//    that has yet to sweep them needs them: trim().
//
// Invariants: frames are in sequence order; dropped() <= history_floor(); a reader below dropped()
// is told (ReadStatus::gap), never silently skipped (I6).
//
// Threads: all members under the hub's lock.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "core/page.h"
#include "core/page_list.h"
#include "core/settings.h"

namespace tocsin::core {

enum class ReadStatus : std::uint8_t {
  more,  // the piece is there, and at least one frame behind it
  last,  // the piece is there and reaches the end of the log
  end,   // nothing above the cursor
  gap,   // events above the cursor are gone
};

class TopicLog {
 public:
  // `forgotten`: the highest sequence that this topic may have had before it existed in memory.
  explicit TopicLog(Sequence forgotten) : dropped_(forgotten), last_sequence_(forgotten) {}
  TopicLog(const TopicLog&) = delete;
  TopicLog& operator=(const TopicLog&) = delete;

  // Appends a frame: `body` is what proto::encode_frame_body makes, `tail` a proto::FrameEnd.
  // `indexed`: the id is the publisher's own and resumes through the index. Registers a new page
  // with `all`. True: it began one.
  bool append(std::string_view body, std::string_view tail, bool indexed, Sequence sequence,
              TimeMs now, PageList& all, ReceiptUs received = 0);

  // The frames above `after` that are adjacent in memory, at most `max_bytes` of them but at least
  // one frame. The end of a page ends a piece.
  [[nodiscard]] ReadStatus read(Sequence after, std::size_t max_bytes, Piece& piece) const;

  // The last event of the topic that history does not keep at `now`: replay starts above it. What a
  // subscriber saw up to here or later resumes without loss.
  [[nodiscard]] Sequence history_floor(const HistoryLimits& limits, TimeMs now) const;

  // The sequence of the kept event with this publisher-set id, as it stands on the wire (its first
  // use, if used twice: a resume repeats rather than loses). O(log n).
  [[nodiscard]] std::optional<Sequence> find(std::string_view id) const;
  // The newest kept event with this id, if its body is this one.
  [[nodiscard]] std::optional<Sequence> find_same(std::string_view id,
                                                  std::string_view body) const;

  // Drops the oldest pages that nobody needs: see above. `swept`: every shard has delivered up to
  // it.
  void trim(const HistoryLimits& history, const BacklogLimits& backlog, Sequence swept, TimeMs now,
            PageList& all);

  // Drops the oldest page, needed or not (the hub is over its cap). REQUIRES: !empty().
  void drop_oldest(PageList& all);

  // Wire bytes above `after`.
  [[nodiscard]] std::uint64_t bytes_after(Sequence after) const;
  // The first event above `after`; nothing if there is none.
  [[nodiscard]] std::optional<Sequence> next_after(Sequence after) const;
  // When it was published.
  [[nodiscard]] std::optional<TimeMs> time_after(Sequence after) const;

  [[nodiscard]] bool empty() const { return head_ == pages_.size(); }
  // Those that are kept, in history or for slow readers, and their wire bytes.
  [[nodiscard]] std::uint64_t events() const {
    return empty() ? 0 : frames_ - first().begin_frame();
  }
  [[nodiscard]] std::uint64_t bytes() const {
    return empty() ? 0 : bytes_ - first().begin_position();
  }
  [[nodiscard]] Sequence dropped() const { return dropped_; }
  [[nodiscard]] Sequence last_sequence() const { return last_sequence_; }

 private:
  [[nodiscard]] const Page& first() const { return *pages_[head_]; }
  [[nodiscard]] const PageRef* begin() const { return pages_.data() + head_; }
  [[nodiscard]] const PageRef* end() const { return pages_.data() + pages_.size(); }
  // The page that has the first frame above `after`; end() if there is none.
  [[nodiscard]] const PageRef* find_page(Sequence after) const;
  [[nodiscard]] std::uint64_t end_position() const;
  [[nodiscard]] std::uint64_t end_frame() const;
  Page& add_page(std::size_t frame_size, Sequence sequence, TimeMs now, PageList& all);
  void index(std::string_view id, Sequence sequence);
  void unindex(const Page& page);
  // Of an event that is kept.
  [[nodiscard]] std::string_view frame_of(Sequence sequence) const;

  std::vector<PageRef> pages_;  // [head_, size): the log; before it: dropped, to be compacted
  Page* newest_ = nullptr;      // the last of them; null: there is none
  Sequence dropped_;          // the last event that is gone; 0: none
  Sequence last_sequence_;    // of the newest event ever
  std::uint64_t frames_ = 0;  // ever appended
  std::uint64_t bytes_ = 0;

  // Publisher-set ids of the frames in memory; the keys point into the page of their newest use, so
  // they are as on the wire. Made at first use.
  // Ordered: clients choose the ids, and a tree has no bucket to aim at.
  struct Uses {
    Sequence first;  // 0: it is no longer kept
    Sequence newest;
  };
  using IdIndex = std::map<std::string_view, Uses>;
  std::unique_ptr<IdIndex> ids_;
  std::uint32_t head_ = 0;  // last, so that a Topic has something in the four bytes behind it
};

}  // namespace tocsin::core
