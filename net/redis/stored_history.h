// A history as it is in Redis or Valkey: its keys, the scripts by which alone it changes, and
// what they answer. Form 1:
//
//   {NAME}:log         a stream: an entry for each commit, whose id is GENERATION-LAST: a number
//                      for the epoch, and the sequence of its last event. Its fields: n, how many
//                      events; d, their bytes (net/store/batch_bytes.h); p and k, who appended it,
//                      and which of its commits it is; t, when (Unix time in ms of the server). Or
//                      one that begins an epoch, behind the event LAST: open, the epoch.
//   {NAME}:head        a hash: v, the form; e, g, s, the epoch, its generation, the last sequence;
//                      older, the epochs before, "EPOCH:GENERATION:END," each; id, the server's
//                      replication id when the epoch began; b, the log's bytes since it began;
//                      mb and mt, of the last mark; f, the event up to which entries may have been
//                      dropped as too old or too much, or are missing or damaged.
//   {NAME}:marks       a list: "ID B T", an entry now and then, by which what is too much is found.
//   {NAME}:p:PRODUCER  a hash: n and s, the last of its commits, and where that ended.
//   {NAME}:keys        a hash of what was published under keys (core/publish/published_keys.h), for
//                      each "KEY/NUMBER" "CONTENT EPOCH FIRST LAST", and for a KEY that is numbered
//                      its newest NUMBER. KEY and CONTENT are in hexadecimal digits.
//   {NAME}:keys:at     a sorted set: each "KEY/NUMBER", by when it was published. Both come and go
//                      with the commits, so what was lost has no key.
//
//   {NAME}:reads       a hash of nothing, which readers write to.
//
// An epoch ends where the history may have forked: a server that was restarted or promoted, which
// its replication id shows, may have less than was there before. Generations rise, so that in the
// stream all that is of a new epoch stands behind all of an old one, also of what was lost. Epochs
// are random, as everywhere.
//
// Pure: text in, text out.
#pragma once

#include <compare>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/batch.h"
#include "core/epochs.h"
#include "core/publish/published_keys.h"
#include "core/store.h"
#include "net/redis/resp.h"

namespace tocsin::net {

// An id of the stream.
struct EntryId {
  std::uint64_t generation = 0;
  core::Sequence last = 0;

  friend auto operator<=>(const EntryId&, const EntryId&) = default;
};
[[nodiscard]] std::string to_string(const EntryId& id);
[[nodiscard]] std::optional<EntryId> parse_entry_id(std::string_view text);

// How far a history goes, and in which epochs; `end` of an older one: the last event of it that
// this history has.
struct StoredHead {
  struct Older {
    proto::Epoch epoch = 0;
    std::uint64_t generation = 0;
    core::Sequence end = 0;

    friend bool operator==(const Older&, const Older&) = default;
  };
  proto::Epoch epoch = 0;
  std::uint64_t generation = 0;
  core::Sequence last = 0;
  std::vector<Older> older{};  // oldest first
  std::uint64_t bytes = 0;     // of the log, trimmed ones included
  std::uint64_t now_ms = 0;    // Unix time of the server
  core::Sequence dropped = 0;  // f; above it nothing is known to be gone

  [[nodiscard]] std::string older_text() const;
  // Nothing: no history can have these.
  [[nodiscard]] std::optional<core::Epochs> epochs() const;
  // Of which generation the event behind this one is.
  [[nodiscard]] std::uint64_t generation_behind(core::Sequence after) const;
};

struct StoredEntry {
  EntryId id{};
  std::uint64_t events = 0;  // 0: the entry begins an epoch
  proto::Epoch opens = 0;    // this one
  std::string_view bytes{};
  std::string_view producer{};
  std::uint64_t number = 0;
  std::uint64_t time_ms = 0;
};

// "GENERATION-LAST B T"
struct StoredMark {
  EntryId id{};
  std::uint64_t bytes = 0;
};

class StoredKeys {
 public:
  explicit StoredKeys(const std::string& name)
      : log("{" + name + "}:log"),
        head("{" + name + "}:head"),
        marks("{" + name + "}:marks"),
        reads("{" + name + "}:reads"),
        publish_keys("{" + name + "}:keys"),
        publish_times("{" + name + "}:keys:at"),
        producers_("{" + name + "}:p:") {}

  const std::string log;
  const std::string head;
  const std::string marks;
  const std::string reads;
  const std::string publish_keys;
  const std::string publish_times;
  [[nodiscard]] std::string producer(std::string_view name) const {
    return producers_ + std::string(name);
  }

 private:
  const std::string producers_;
};

// KEYS head, log; ARGV: an epoch for the case that one begins; then, of what the caller knows of
// the history, epoch, generation, last and older (an empty epoch: nothing). Answers e, g, s, older,
// b, the time and f. An epoch begins where the head's replication id is not the server's; where the
// caller was told of more events of this one than there are; and where somebody else has put an
// entry behind the head's, as nothing could follow that in this one. Where
// there is no history, the caller's goes on: a server that lost everything costs what it kept, and
// no id.
[[nodiscard]] std::string_view open_script();

// KEYS head, log, producer, marks; ARGV: epoch, number, events, bytes, producer, ms to keep the
// number; bytes and ms to keep of the log (0: any), bytes between two marks. Appends, and answers
// the last sequence; of the producer's last number again what it answered then. Errors: EPOCH, the
// epoch is not (or not any more) the one of this server; NUMBER N, the producer's last one is N.
//
// With a key: KEYS keys and keys:at, too; ARGV: KEY, NUMBER, CONTENT, ms to keep it, how many
// numbers of a KEY and how many of all are kept. What is known under the key is not appended, and
// takes the producer's number; it answers what parse_finding() reads. So it does of each commit of
// the producer that came before: what became of it.
[[nodiscard]] std::string_view publish_script();

// KEYS head; ARGV: the epoch, and an event up to which entries are missing or damaged. Raises f to
// it, in this epoch: who starts begins behind it.
[[nodiscard]] std::string_view drop_script();

// KEYS reads. Writes something, whatever is there: also where no memory is left, if it did within a
// day.
[[nodiscard]] std::string_view write_script();

// KEY and CONTENT.
[[nodiscard]] std::string key_text(const core::PublishKey& key);
[[nodiscard]] std::string content_text(const core::PublishKey& key);
// What a key's commit was answered that was not appended now.
[[nodiscard]] core::StoreAnswer parse_finding(const RespValue& reply);

// Nothing: it is no answer of open_script().
[[nodiscard]] std::optional<StoredHead> parse_head(const RespValue& reply);
// Of the head's e, g, s, older and b: without the rest.
[[nodiscard]] std::optional<StoredHead> parse_stored_head(const RespValue& reply);
// Where its events are in the history of this head; nothing: they are not, as what was lost when
// the history forked, or of an epoch that is forgotten. REQUIRES: it has events.
[[nodiscard]] std::optional<core::Place> place_of(const StoredEntry& entry,
                                                  const StoredHead& head);
// An entry as XREAD and XRANGE give it; nothing: none of ours. Views end with `entry`.
[[nodiscard]] std::optional<StoredEntry> parse_entry(const RespValue& entry);
[[nodiscard]] std::optional<StoredMark> parse_mark(std::string_view text);
// A number as text, or as one.
[[nodiscard]] std::optional<std::uint64_t> parse_count(const RespValue& value);

}  // namespace tocsin::net
