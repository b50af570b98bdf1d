// A run of one topic's frames as contiguous wire bytes: the memory that every send points into.
//
// A page is slotted: wire bytes grow from the front, one 16-byte slot per frame grows from the
// back, and it is full when they meet:
//
//     | frame 0 | frame 1 | frame 2 | ......free...... | slot 2 | slot 1 | slot 0 |
//
// Each frame stands there with what chunked bodies have around it (proto/http/framing.h), so that
// their streams send a run of frames as it lies. Streams whose body ends with the connection send
// frame(i), the bytes inside.
//
// Invariants: bytes and slots, once written, never change and never move (I1). Sequences rise.
//
// Threads: append() and the accessors that say how far the page is filled need the hub's lock. Who
// holds a Piece (below) may read the bytes and slots inside it without the lock, as they were
// written before the lock that handed it out was released.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include "core/settings.h"
#include "proto/http/framing.h"
#include "proto/sse/event_id.h"

namespace tocsin::core {

using proto::Sequence;

class TopicLog;

class Page {
 public:
  // `capacity`: bytes for frames and slots together. The three firsts are what slots and positions
  // count from: the topic's byte and frame number at the page's begin, the first frame's time.
  struct Origin {
    std::uint64_t position = 0;
    std::uint64_t frame = 0;
    Sequence sequence = 0;
    TimeMs time = 0;
  };
  Page(std::size_t capacity, const Origin& origin);

  // Bytes of page that a frame of `size` > 0 bytes takes.
  [[nodiscard]] static constexpr std::size_t cost(std::size_t size) {
    return proto::chunk_size(size) + sizeof(Slot);
  }

  // Room for it, and its sequence and time within reach of the slots' 32-bit offsets.
  [[nodiscard]] bool accepts(std::size_t size, Sequence sequence, TimeMs time) const;

  // Copies the frame `body` + `tail` in. REQUIRES: accepts(), and a sequence above the last one.
  void append(std::string_view body, std::string_view tail, Sequence sequence, TimeMs time,
              ReceiptUs received = 0);

  [[nodiscard]] const char* data() const { return bytes_.get(); }
  [[nodiscard]] std::size_t capacity() const { return capacity_; }
  [[nodiscard]] std::uint32_t frames() const { return frames_; }
  [[nodiscard]] std::uint32_t size() const { return size_; }

  // Frame `i` < frames(): where it begins and ends, with what is around it; its sequence, when it
  // was published.
  [[nodiscard]] std::uint32_t begin_of(std::uint32_t i) const { return i == 0 ? 0 : end_of(i - 1); }
  [[nodiscard]] std::uint32_t end_of(std::uint32_t i) const { return slot(i).end; }
  // Without what is around it.
  [[nodiscard]] std::string_view frame(std::uint32_t i) const {
    return proto::piece_of({data() + begin_of(i), std::size_t{end_of(i)} - begin_of(i)});
  }
  [[nodiscard]] Sequence sequence_of(std::uint32_t i) const {
    return origin_.sequence + slot(i).sequence;
  }
  [[nodiscard]] TimeMs time_of(std::uint32_t i) const { return origin_.time + slot(i).time_ms; }
  [[nodiscard]] ReceiptUs received_of(std::uint32_t i) const { return slot(i).received; }

  // The page's place in its topic: byte and frame numbers count from the topic's beginning.
  [[nodiscard]] std::uint64_t begin_position() const { return origin_.position; }
  [[nodiscard]] std::uint64_t end_position() const { return origin_.position + size(); }
  [[nodiscard]] std::uint64_t begin_frame() const { return origin_.frame; }
  [[nodiscard]] std::uint64_t end_frame() const { return origin_.frame + frames_; }
  // REQUIRES: frames() > 0.
  [[nodiscard]] Sequence first_sequence() const { return origin_.sequence; }
  [[nodiscard]] Sequence last_sequence() const { return origin_.sequence + last_; }
  [[nodiscard]] TimeMs last_time() const { return time_of(frames_ - 1); }

  // The first frame with a sequence above `after`; frames() if there is none. The search begins at
  // the end: most readers lack the last one or a few.
  [[nodiscard]] std::uint32_t first_after(Sequence after) const;

 private:
  friend class PageList;
  friend class Pin;

  struct Slot {
    std::uint32_t end;       // one past the last byte of the frame and what is around it
    std::uint32_t sequence;  // above origin_.sequence
    std::uint32_t time_ms;   // above origin_.time
    ReceiptUs received;
  };
  static_assert(sizeof(Slot) == 16);

  [[nodiscard]] const Slot& slot(std::uint32_t i) const {
    return reinterpret_cast<const Slot*>(bytes_.get() + capacity_)[-1 - static_cast<int>(i)];
  }

  const Origin origin_;
  const std::unique_ptr<char[]> bytes_;
  const std::uint32_t capacity_;
  std::uint32_t frames_ = 0;
  // Of the last frame, as its slot has them: an append need not wait for the slot's cache line.
  std::uint32_t size_ = 0;
  std::uint32_t last_ = 0;

  // See PageList (under the hub's lock).
  Page* older_ = nullptr;
  Page* newer_ = nullptr;
  TopicLog* owner_ = nullptr;  // null: no log has it any more
  bool kept_ = false;          // true exactly when it is in PageList::pinned_
  // Raised under the lock, lowered anywhere: a count that is seen late frees the page later.
  std::atomic<std::uint32_t> pins_{0};
};

// Shared by the topic's log and by the sends that point into it; one reference per distinct piece
// of a broadcast, never one per subscriber.
using PageRef = std::shared_ptr<Page>;

// Whole frames [first, last) of one page, adjacent in memory. Keeps its page alive.
struct Piece {
  PageRef page;
  std::uint32_t first = 0;
  std::uint32_t last = 0;
  // Readers of the topic with a cursor from here up to the first frame's sequence (exclusive) would
  // be given the same piece.
  Sequence above = 0;

  [[nodiscard]] Sequence first_sequence() const { return page->sequence_of(first); }
  [[nodiscard]] ReceiptUs first_received() const { return page->received_of(first); }
  [[nodiscard]] std::uint32_t begin() const { return page->begin_of(first); }
  [[nodiscard]] std::uint32_t end() const { return page->end_of(last - 1); }
  // What a chunked stream is sent.
  [[nodiscard]] std::string_view bytes() const {
    return {page->data() + begin(), std::size_t{end()} - begin()};
  }
  [[nodiscard]] Sequence last_sequence() const { return page->sequence_of(last - 1); }
};

}  // namespace tocsin::core
