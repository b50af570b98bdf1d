// The order of a history's events, and how far it goes: the one place where sequences are given
// (I3), and where it is held that batches follow one another without holes (I13).
//
// Who gives the order takes next() for the batch and follows it; who is told of the order asks
// fit() of what comes, and follows what is next.
//
// A value; not thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

#include "core/batch.h"
#include "core/epochs.h"
#include "proto/assert.h"
#include "proto/sse/event_id.h"

namespace tocsin::core {

// How a batch stands to the events that are there.
enum class Fit : std::uint8_t {
  next,   // right behind them
  known,  // among them
  hole,   // behind others that are not there yet
  other,  // of another history: an epoch that is not its sequences', or across the end of ours
};

class Journal {
 public:
  // `last`: the newest event that is there; 0: none.
  explicit Journal(Epochs epochs, Sequence last = 0) : epochs_(std::move(epochs)), last_(last) {}

  // The place behind the last one, for a batch of so many events (one at least).
  [[nodiscard]] Place next(std::size_t events) const {
    return {.epoch = epochs_.of(last_ + 1), .first = last_ + 1, .last = last_ + events};
  }
  // Of an event that is there.
  [[nodiscard]] Place place_of(Sequence sequence) const {
    TOCSIN_ASSERT(sequence > 0 && sequence <= last_);
    return {.epoch = epochs_.of(sequence), .first = sequence, .last = sequence};
  }
  [[nodiscard]] Fit fit(const Place& place) const;
  // REQUIRES: fit(place) == Fit::next.
  void follow(const Place& place) {
    // The same as the requirement but for a batch across a fork, and cheap.
    TOCSIN_ASSERT(place.last >= place.first && place == next(place.events()));
    TOCSIN_DEBUG_ASSERT(fit(place) == Fit::next);
    last_ = place.last;
  }
  // What comes next is of a new epoch. REQUIRES: see Epochs::fork(); `fork` <= last().
  void fork(proto::Epoch epoch, Sequence fork);

  [[nodiscard]] const Epochs& epochs() const { return epochs_; }
  [[nodiscard]] Sequence last() const { return last_; }

 private:
  Epochs epochs_;
  Sequence last_;
};

}  // namespace tocsin::core
