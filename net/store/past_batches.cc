#include "net/store/past_batches.h"

#include <algorithm>
#include <utility>

#include "net/store/batch_bytes.h"

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
  const auto is_next = [&read](const PastBatchRef& batch) {
    return batch->place().first <= read.at() + 1 && read.at() < batch->place().last;
  };
  while (const PastBatchRef batch = kept_.find(is_next)) {
    if (!read.give(*batch)) return false;
  }
  return true;
}

bool PastBatches::give(PastBatchRef batch, PastRead& read) {
  if (batch == nullptr) return !read.has_begun();  // what is behind it may be there
  if (read.give(*batch)) return true;
  const std::size_t bytes = batch->memory();
  kept_.keep(std::move(batch), bytes);
  return false;
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
