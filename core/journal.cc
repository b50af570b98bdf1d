#include "core/journal.h"

#include "proto/assert.h"

namespace tocsin::core {

Fit Journal::fit(const Place& place) const {
  const bool whole = place.first > 0 && place.last >= place.first;
  if (!whole || !epochs_.has(place.epoch) || epochs_.of(place.first) != place.epoch ||
      epochs_.of(place.last) != place.epoch) {
    return Fit::other;
  }
  if (place.first > last_ + 1) return Fit::hole;
  if (place.first == last_ + 1) return Fit::next;
  return place.last <= last_ ? Fit::known : Fit::other;
}

void Journal::fork(proto::Epoch epoch, Sequence fork) {
  TOCSIN_ASSERT(fork <= last_);
  epochs_.fork(epoch, fork);
  last_ = fork;
}

}  // namespace tocsin::core
