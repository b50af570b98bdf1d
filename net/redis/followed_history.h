// What one hub has of a history that others write as well: up to which entry it was told, in which
// epochs; and whether what the server says and sends is the continuation of that.
//
// A value; not thread-safe.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <utility>

#include "core/journal.h"
#include "net/redis/stored_history.h"

namespace tocsin::net {

class FollowedHistory {
 public:
  // Of `head`, told up to `behind`, an entry or a place between two.
  // REQUIRES: not behind the head.
  FollowedHistory(StoredHead head, EntryId behind);

  // Nothing: no history can be so.
  [[nodiscard]] std::optional<core::Journal> journal() const;
  // The one behind which the next entry stands.
  [[nodiscard]] const EntryId& behind() const { return behind_; }
  [[nodiscard]] proto::Epoch epoch() const { return head_.epoch; }
  // What is known of it, for open_script(): as far as it was told.
  [[nodiscard]] StoredHead known() const;

  // Does the history whose head this is go on from here? The error says what is gone, for people:
  // then nothing more can be followed.
  using Judged = std::expected<void, std::string>;
  [[nodiscard]] Judged judge(const StoredHead& now) const;

  // An entry of this id may be one of its commits: of an epoch that is known, and not behind its
  // end.
  [[nodiscard]] bool may_have(const EntryId& id) const;
  // Goes on behind this entry or place, whatever was to come before. REQUIRES: no earlier event.
  void skip(EntryId behind);

  // The next entry of the stream. The errors as above.
  [[nodiscard]] std::expected<core::Place, std::string> follow(const StoredEntry& entry);
  // One that begins an epoch. True: an epoch that was not known.
  [[nodiscard]] std::expected<bool, std::string> follow_open(const StoredEntry& entry);

 private:
  // Of the entries that have it, the current one without an end; nothing: nobody has begun such a
  // one.
  [[nodiscard]] std::optional<StoredHead::Older> epoch_of(std::uint64_t generation) const;
  [[nodiscard]] Judged stands_next(const StoredEntry& entry) const;

  StoredHead head_;  // `last` apart
  EntryId behind_;
};

}  // namespace tocsin::net
