// Events on their way into the hub, and where they stand once they are in order.
//
// A batch is refused or applied as a whole. What submits one hands over a span, which refers to the
// publisher's request; a Batch is the same with memory of its own, for a batch that has to wait.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "core/settings.h"
#include "proto/assert.h"
#include "proto/sse/event_id.h"

namespace tocsin::core {

using proto::Sequence;

// An event ready for the log: encoded but for its id.
struct NewEvent {
  std::string_view topic;
  std::string_view id;    // the publisher's own, as it was given; empty: the hub's
  std::string_view body;  // proto::encode_frame_body: whole lines, none of them empty
  ReceiptUs received = 0;
};

// Bytes of the event's frame on the wire, with its `id:` line and its empty line, as
// max_event_bytes counts them: the hub's own id at its longest, so that whether an event is too
// large does not depend on when it comes. What HTTP puts around a frame is no part of it.
[[nodiscard]] std::size_t frame_bytes(const NewEvent& event);

// A copy of events and of all that they refer to: it outlives the request that they came with.
class Batch {
 public:
  explicit Batch(std::span<const NewEvent> events);

  [[nodiscard]] std::span<const NewEvent> events() const { return events_; }

 private:
  std::unique_ptr<char[]> text_;  // events_ points into it; a move leaves it where it is
  std::vector<NewEvent> events_;
};

// The sequences of a batch, all in one epoch: the history's `first` to `last`, without a hole.
struct Place {
  proto::Epoch epoch = 0;
  Sequence first = 0;
  Sequence last = 0;

  // REQUIRES: a place that was given, which has an event at least.
  [[nodiscard]] std::size_t events() const {
    TOCSIN_ASSERT(first > 0 && last >= first);
    return last - first + 1;
  }

  friend bool operator==(const Place&, const Place&) = default;
};

}  // namespace tocsin::core
