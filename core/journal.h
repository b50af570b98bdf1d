// The order of a history's events, and how far it goes: the one place where sequences are given
// (I3), and where it is held that batches follow one another without holes (I13).
//
// Who gives the order calls order(); who is told it calls follow() for each batch in turn.
//
// Threads: under the lock of its owner.
#pragma once

#include <cstddef>

#include "core/batch.h"
#include "proto/event_id.h"

namespace tocsin::core {

class Journal {
 public:
  explicit Journal(proto::Epoch epoch) : epoch_(epoch) {}

  // The next place, for a batch of so many events.
  [[nodiscard]] Place next(std::size_t events) const {
    return {.epoch = epoch_, .first = last_ + 1, .last = last_ + events};
  }
  // REQUIRES: next(place.events()) == place.
  void follow(const Place& place);

  [[nodiscard]] proto::Epoch epoch() const { return epoch_; }
  // 0: nothing yet.
  [[nodiscard]] Sequence last() const { return last_; }

 private:
  const proto::Epoch epoch_;
  Sequence last_ = 0;
};

}  // namespace tocsin::core
