#include "core/journal.h"

#include "proto/assert.h"

namespace tocsin::core {

void Journal::follow(const Place& place) {
  TOCSIN_ASSERT(place.last >= place.first && place == next(place.events()));
  last_ = place.last;
}

}  // namespace tocsin::core
