#include "core/epochs.h"

#include <algorithm>
#include <utility>

#include "proto/assert.h"
#include "proto/limits.h"

namespace tocsin::core {

std::optional<Epochs> Epochs::kept(proto::Epoch current, std::vector<Older> older) {
  Epochs epochs(current);
  if (older.size() >= limits::kMaxEpochs) return std::nullopt;
  for (const Older& next : older) {
    const bool falls = !epochs.older_.empty() && epochs.older_.back().end > next.end;
    if (falls || epochs.has(next.epoch)) return std::nullopt;
    epochs.older_.push_back(next);
  }
  return epochs;
}

void Epochs::fork(proto::Epoch epoch, Sequence fork) {
  TOCSIN_ASSERT(!has(epoch));
  older_.push_back({.epoch = current_, .end = fork});
  // A fork further back than an earlier one takes from that one's epochs too.
  for (Older& older : older_) older.end = std::min(older.end, fork);
  if (size() > limits::kMaxEpochs) older_.erase(older_.begin());
  current_ = epoch;
}

const Epochs::Older* Epochs::find_older(proto::Epoch epoch) const {
  const auto it = std::ranges::find(older_, epoch, &Older::epoch);
  return it == older_.end() ? nullptr : &*it;
}

proto::Epoch Epochs::of_older(Sequence sequence) const {
  return std::ranges::lower_bound(older_, sequence, {}, &Older::end)->epoch;
}

}  // namespace tocsin::core
