// Commits of a history on their way to who reads it again (Store::read): what is given of them, and
// the last ones, decoded, as a commit may have many more events than are read at once and is read
// and checked as a whole.
//
// Not thread-safe.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/batch.h"
#include "core/epochs.h"
#include "core/store.h"
#include "net/base/recently_used.h"
#include "proto/assert.h"
#include "proto/limits.h"

namespace tocsin::net {

// A commit's events.
class PastBatch {
 public:
  // Copies `bytes` (net/store/batch_bytes.h). Null: they are not the events of this place.
  [[nodiscard]] static std::shared_ptr<const PastBatch> decode(const core::Place& place,
                                                               std::string_view bytes,
                                                               const core::Epochs& epochs);

  [[nodiscard]] const core::Place& place() const { return place_; }
  // REQUIRES: one of place().
  [[nodiscard]] const core::NewEvent& at(core::Sequence sequence) const {
    TOCSIN_ASSERT(sequence >= place_.first && sequence <= place_.last);
    return events_[sequence - place_.first];
  }
  // Bytes of memory.
  [[nodiscard]] std::size_t memory() const {
    return bytes_.size() + events_.size() * sizeof(core::NewEvent);
  }

 private:
  PastBatch(const core::Place& place, std::string_view bytes) : place_(place), bytes_(bytes) {}

  const core::Place place_;
  const std::string bytes_;
  std::vector<core::NewEvent> events_;  // into bytes_
};
using PastBatchRef = std::shared_ptr<const PastBatch>;

// A call of Store::read.
class PastRead {
 public:
  // `take` outlives it.
  PastRead(core::Sequence after, core::Sequence until, const core::Store::TakeEvent& take)
      : after_(after), until_(until), at_(after), take_(take) {}

  // The next batch of the history. False: it was the last that is wanted, or it is not: behind a
  // hole.
  [[nodiscard]] bool give(const PastBatch& batch);
  // Up to here all was given, or is gone.
  [[nodiscard]] core::Sequence at() const { return at_; }
  [[nodiscard]] bool has_begun() const { return above_.has_value(); }
  // What Store::read returns, if the history has nothing behind what was given.
  [[nodiscard]] core::Sequence above() const;

 private:
  const core::Sequence after_;
  const core::Sequence until_;
  core::Sequence at_;
  std::optional<core::Sequence> above_{};  // the event before the first that was given
  const core::Store::TakeEvent& take_;
};

// Those that were used last.
class PastBatches {
 public:
  // Both return false: nothing more is wanted.

  // Gives what is here.
  [[nodiscard]] bool give_kept(PastRead& read);
  // Gives the history's next batch; null: it is damaged, which is as one that is gone. The last one
  // is kept, as the next call begins with it.
  [[nodiscard]] bool give(PastBatchRef batch, PastRead& read);

 private:
  RecentlyUsed<PastBatchRef> kept_{limits::kMaxReplayRows};
};

}  // namespace tocsin::net
