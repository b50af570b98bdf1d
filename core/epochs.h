// The epochs of a history, and where each ended.
//
// An epoch names a history. When one forks (a fail-over lost its newest part, a backup was put
// back) the newest event that is left is the fork, and a new epoch begins behind it. Sequences go
// on from there, so some are given twice, in two epochs. An id of an older epoch is a position in
// this history up to the end of what the two have in common; above it the id names events that are
// not here. (Kafka's leader epochs do the same.)
//
// A value; not thread-safe.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

#include "proto/sse/event_id.h"

namespace tocsin::core {

using proto::Sequence;

class Epochs {
 public:
  // An earlier epoch, and the last event that it shares with this history.
  struct Older {
    proto::Epoch epoch;
    Sequence end;

    friend bool operator==(const Older&, const Older&) = default;
  };

  // A history that has not forked.
  explicit Epochs(proto::Epoch first) : current_(first) {}
  // One that is kept elsewhere, as current() and older() said; nothing: no history can be so.
  [[nodiscard]] static std::optional<Epochs> kept(proto::Epoch current, std::vector<Older> older);

  // From here on ids are of `epoch`; the history before it ends with the event `fork` (0: nothing
  // of it is left). The oldest epoch is forgotten where there are limits::kMaxEpochs.
  // REQUIRES: !has(epoch).
  void fork(proto::Epoch epoch, Sequence fork);

  [[nodiscard]] proto::Epoch current() const { return current_; }
  // Ids of this epoch are the hub's own.
  [[nodiscard]] bool has(proto::Epoch epoch) const {
    return epoch == current_ || find_older(epoch) != nullptr;
  }
  // Where the id's event, or the position right behind it, is in this history, of which `newest` is
  // the newest event; nothing if it is not. REQUIRES: has(id.epoch).
  [[nodiscard]] std::optional<Sequence> position(proto::EventId id, Sequence newest) const {
    if (id.sequence > newest) return std::nullopt;
    if (id.epoch != current_ && id.sequence > find_older(id.epoch)->end) return std::nullopt;
    return id.sequence;
  }
  // In which epoch an event of this history was ordered (of forgotten ones: the oldest that is
  // known, in which its id is a position as well).
  [[nodiscard]] proto::Epoch of(Sequence sequence) const {
    return older_.empty() || sequence > older_.back().end ? current_ : of_older(sequence);
  }

  [[nodiscard]] std::size_t size() const { return older_.size() + 1; }
  // Oldest first, so that their ends rise; no epoch twice, the current one not among them.
  [[nodiscard]] std::span<const Older> older() const { return older_; }

  friend bool operator==(const Epochs&, const Epochs&) = default;

 private:
  // Null: there is none.
  [[nodiscard]] const Older* find_older(proto::Epoch epoch) const;
  [[nodiscard]] proto::Epoch of_older(Sequence sequence) const;

  proto::Epoch current_;
  std::vector<Older> older_;
};

}  // namespace tocsin::core
