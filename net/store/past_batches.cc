#include "net/store/past_batches.h"

#include <algorithm>
#include <utility>

#include "net/store/batch_bytes.h"
#include "proto/assert.h"
#include "proto/limits.h"

namespace tocsin::net {

PastBatchRef PastBatch::decode(const core::Place& place, std::string_view bytes,
                               const core::Epochs& epochs) {
  std::shared_ptr<PastBatch> batch(new PastBatch(place, bytes));
  auto events = read_events(batch->bytes_, place.events(), epochs);
  if (!events) return nullptr;
  batch->events_ = *std::move(events);
  return batch;
}

bool PastBatches::give_kept(PastRead& read) {
  while (const PastBatchRef batch = find(read.at())) {
    if (!read.give(*batch)) return false;
  }
  return true;
}

bool PastBatches::give(PastBatchRef batch, PastRead& read) {
  if (batch == nullptr) return !read.has_begun();  // what is behind it may be there
  if (read.give(*batch)) return true;
  keep(std::move(batch));
  return false;
}

// One that has the first event above `after`; null: none that is here.
PastBatchRef PastBatches::find(core::Sequence after) {
  const auto found = std::ranges::find_if(kept_, [after](const PastBatchRef& batch) {
    return batch->place().first <= after + 1 && after < batch->place().last;
  });
  if (found == kept_.end()) return nullptr;
  PastBatchRef batch = *found;
  kept_.erase(found);
  kept_.push_front(batch);
  return batch;
}

void PastBatches::keep(PastBatchRef batch) {
  bytes_ += batch->memory();
  kept_.push_front(std::move(batch));
  while (bytes_ > limits::kMaxReplayRows) {
    bytes_ -= kept_.back()->memory();
    kept_.pop_back();
  }
}

bool PastRead::give(const PastBatch& batch) {
  const core::Place& place = batch.place();
  if (above_ && place.first != at_ + 1) return false;
  if (!above_) above_ = std::max(at_, place.first - 1);
  if (*above_ >= until_) return false;
  const core::Sequence last = std::min(place.last, until_);
  for (core::Sequence next = std::max(place.first, after_ + 1); next <= last; ++next) {
    if (!take_({.epoch = place.epoch, .sequence = next}, batch.at(next))) return false;
  }
  at_ = place.last;
  return place.last < until_;
}

core::Sequence PastRead::above() const {
  return std::min(above_.value_or(until_), until_);
}

}  // namespace tocsin::net
