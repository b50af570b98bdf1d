// A history in a SQLite file, for one writer: its schema, its pragmas, how it is opened and judged,
// what a commit does, and how it is read back.
//
//   meta(key, value)                     what is one: the epochs; draft, where an import has yet to
//                                        end
//   batch(last, n, time_ms, crc, bytes)  a row for each commit: events last - n + 1 to last, Unix
//                                        time, a CRC-32C of all of it (net/store/history_row.h),
//                                        and the events (net/store/batch_bytes.h)
//
//   producer(last, n, time_ms, name, number, content, crc)
//                                        a row for each publish with a key that is known: where its
//                                        events are, and the key (core/publish/published_keys.h)
//
// Events are not found by topic here: what is kept in memory is, and a row for each event costs two
// to four times as much.
//
// PATH-wal and PATH-shm beside it are SQLite's; PATH.lock: net/store/witness.h; PATH.reserve:
// net/store/reserve.h.
//
// Threads: one at a time.
#pragma once

#include <chrono>
#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>

#include "core/journal.h"
#include "net/base/locked_file.h"
#include "net/server_options.h"
#include "net/store/database.h"
#include "net/store/history_row.h"
#include "net/store/history_schema.h"
#include "net/store/reserve.h"
#include "net/store/witness.h"
#include "proto/limits.h"

namespace tocsin::net {

struct HistoryFileOptions {
  std::string path{};
  HistorySync sync = HistorySync::full;
  // The oldest batches go when the file holds more, or when they are older (0: no limit). The
  // newest stays.
  std::uint64_t max_bytes = 1024ULL * 1024 * 1024;
  std::uint64_t max_age_ms = 0;
  // What is told of at the start: the newest batches up to so many bytes, and not older (0: no
  // limit).
  std::uint64_t load_bytes = 256ULL * 1024 * 1024;
  std::uint64_t load_age_ms = 0;
  std::uint64_t reserve_bytes = 128ULL * 1024 * 1024;
  // A file that is made now is opened by nobody before finish().
  Draft draft = Draft::no;
  // How long a hub that is about to end is waited for.
  std::chrono::milliseconds patience{0};
  const char* vfs = nullptr;  // for tests: see Database::open
};

class HistoryFile {
 public:
  // Makes the file if it is not there. Refused, in a sentence for the operator: a file that another
  // hub has open, that is none of ours, of a later version, damaged where all begins, or that
  // cannot be read and written. Whose newest events are gone goes on in a new epoch.
  [[nodiscard]] static std::expected<std::unique_ptr<HistoryFile>, std::string> open(
      const HistoryFileOptions& options);
  // All that is acknowledged goes onto the disk, whatever `sync` says.
  ~HistoryFile();
  HistoryFile(const HistoryFile&) = delete;
  HistoryFile& operator=(const HistoryFile&) = delete;

  // How far the file goes, and in which epochs.
  [[nodiscard]] const core::Journal& journal() const { return journal_; }
  [[nodiscard]] const HistoryFileOptions& options() const { return options_; }
  // Behind this event all is there, is sound, and is to be told of at the start.
  [[nodiscard]] core::Sequence beginning() const { return beginning_; }
  // Its oldest event is right behind this one.
  [[nodiscard]] core::Sequence floor() const { return floor_; }
  // Calls `use` for each row above beginning(), oldest first, with its events.
  using UseRow = std::function<void(const HistoryRow&, std::span<const core::NewEvent>)>;
  [[nodiscard]] Sql<void> read(const UseRow& use);

  enum class Wrote : std::uint8_t {
    all,      // it is in the history
    nothing,  // it is not, and never will be
    unknown,  // it may be there when the file is opened again. Written again, it is there once.
  };
  struct Write {
    Wrote wrote = Wrote::all;
    SqlError error{};
  };
  // What becomes known with a commit, and what is not known any more, by its last events.
  struct KeyRows {
    std::span<const KeyRow> known{};
    std::span<const core::Sequence> gone{};
  };
  // Appends the row, and drops as many of the oldest as the limits ask; `keys`: what goes with it,
  // in the same transaction. REQUIRES: its place is next, and theirs are in there.
  [[nodiscard]] Write write(const HistoryRow& row, const KeyRows& keys);
  [[nodiscard]] Write write(const HistoryRow& row) { return write(row, {}); }
  // Calls `use` for each key that is known, oldest first. None, if their table is damaged.
  [[nodiscard]] Sql<void> read_keys(const std::function<void(const KeyRow&)>& use);
  // All that a draft is to have is written.
  [[nodiscard]] Sql<void> finish() { return finish_history(database_); }
  // The disk is full: gives up the reserve.
  void give_up_reserve() { reserve_.give_up(); }
  // Whether writing would succeed again, for some commits: writes something, and looks for
  // kEnoughRoom. Takes the reserve where there is room for that, too. Changes nothing of the
  // history.
  [[nodiscard]] Sql<void> try_out();

  static constexpr std::uint64_t kEnoughRoom = 4 * limits::kMaxCommit;

  // Of the file, what is in use; and of these the WAL's are not.
  [[nodiscard]] std::uint64_t bytes_in_use() const {
    return (pages_ - free_pages_) * page_bytes_;
  }

 private:
  struct Statements {
    Statement begin, commit, rollback, pages, free_pages, insert, oldest, remove, insert_key,
        remove_key;
  };
  using Opened = std::expected<void, std::string>;

  HistoryFile(const HistoryFileOptions& options, Witness witness, LockedFile file,
              Database database)
      : options_(options),
        witness_(std::move(witness)),
        file_(std::move(file)),
        found_ns_(file_.changed_ns()),
        reserve_(options.path + ".reserve", options.reserve_bytes),
        database_(std::move(database)) {}

  [[nodiscard]] Opened begin();
  [[nodiscard]] Sql<void> prepare(bool is_new);
  [[nodiscard]] Sql<void> prepare_statements();
  [[nodiscard]] std::string why_forked(std::uint64_t inode) const;
  [[nodiscard]] Sql<void> fork(const std::string& why);
  void find_beginning();
  void find_floor();
  void walk_down();
  [[nodiscard]] bool is_open_upwards();
  [[nodiscard]] Sql<void> append(const HistoryRow& row, const KeyRows& keys);
  [[nodiscard]] Sql<void> make_room(std::uint64_t now_ms, std::uint64_t incoming);
  void step_over(const SqlError& why);
  void give_up_keys(const SqlError& why);
  [[nodiscard]] Sql<void> change_keys(const KeyRows& keys);
  [[nodiscard]] Sql<void> forget_lost_keys();
  [[nodiscard]] Sql<void> drop_oldest(std::uint64_t now_ms, std::uint64_t incoming);
  [[nodiscard]] Sql<bool> drop_some(std::uint64_t now_ms, std::uint64_t bytes);
  [[nodiscard]] Sql<void> measure();
  void roll_back();
  bool take_reserve();
  void look_after_files();
  [[nodiscard]] Testimony testimony(bool closed) const;

  const HistoryFileOptions options_;
  Witness witness_;
  // The history's own, for two hubs that open it by names in two folders (a bind mount). It is
  // closed behind the database: whoever closes a file ends all locks of SQLite's that the process
  // has on it (fcntl(2)).
  LockedFile file_;
  const std::uint64_t found_ns_;  // when it had changed last before it was opened
  Reserve reserve_;
  Database database_;
  std::optional<Statements> statements_;  // gone before the database is
  core::Journal journal_{core::Epochs(0)};
  core::Sequence beginning_ = 0;
  core::Sequence floor_ = 0;
  std::int64_t drop_from_ = 1;               // below it nothing can be dropped
  std::optional<std::int64_t> dropping_{};   // these, up to here, are being dropped
  core::Sequence dropped_ = 0;    // by the transaction that runs, or by others: up to here
  std::uint64_t page_bytes_ = 0;
  std::uint64_t max_pages_ = 0;   // that the file may have
  std::uint64_t pages_ = 0;       // that it has
  std::uint64_t free_pages_ = 0;  // of these
  std::uint64_t inode_ = 0;  // 0: it was refused
  std::uint64_t commits_ = 0;
  bool is_removed_ = false;
  bool keys_kept_ = true;  // false: their table is damaged
  const std::string boot_ = boot_id();
};

}  // namespace tocsin::net
