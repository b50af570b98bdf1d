// A commit, and what is read back. How a file is opened: history_open.cc.
#include "net/store/history_file.h"

#include <sqlite3.h>
#include <sys/stat.h>

#include <algorithm>

#include <fmt/format.h>

#include "net/base/clock.h"
#include "net/log.h"
#include "net/store/batch_bytes.h"
#include "net/store/damage.h"
#include "net/store/history_row.h"
#include "net/store/history_schema.h"
#include "proto/assert.h"

namespace tocsin::net {
namespace {

// Rows that go with one commit at most. Those that are larger than what comes in go one by one; of
// small ones so many are some dozens of pages. All at once is not needed, and has stopped
// publishers for seconds.
constexpr std::int64_t kMaxDroppedRows = 1024;

// Pages that a row takes besides those of its bytes: of the tree, and of the list of free ones.
constexpr std::uint64_t kMorePages = 8;

// With one commit so many stretches are stepped over that are damaged.
constexpr int kMaxDropTries = 4;

constexpr std::uint64_t kCommitsBetweenLooks = 64;

// Bytes of a row of table `producer`, with all that is beside it.
constexpr std::uint64_t kMostKeyRow = 128;

std::unexpected<SqlError> damaged(std::string text) {
  return std::unexpected(SqlError{.code = SQLITE_CORRUPT, .text = std::move(text)});
}

}  // namespace

HistoryFile::~HistoryFile() {
  statements_.reset();
  if (inode_ == 0) return;
  bool on_disk = false;
  if (database_.run("PRAGMA synchronous = FULL")) {
    const auto busy = database_.number("PRAGMA wal_checkpoint(TRUNCATE)");
    on_disk = busy && *busy == 0;
  }
  database_.close();
  if (options_.sync != HistorySync::full) on_disk = file_.sync() && on_disk;
  static_cast<void>(witness_.testify_and_sync(testimony(on_disk)));
}

// --- writing ---

HistoryFile::Write HistoryFile::write(const HistoryRow& row, const KeyRows& keys) {
  TOCSIN_ASSERT(journal_.fit(row.place) == core::Fit::next);
  if (const auto appended = append(row, keys); !appended) {
    roll_back();
    return {.wrote = Wrote::nothing, .error = appended.error()};
  }
  if (const auto committed = statements_->commit.run(); !committed) {
    roll_back();
    // The last frame of a transaction is what commits it, and is written last: if there was no room
    // for one of them, that is not there. Of any other failure (a sync, the index of the log)
    // nobody knows: the whole transaction may be in the log, and count when it is read again.
    const bool no_room = committed.error().primary() == SQLITE_FULL;
    return {.wrote = no_room ? Wrote::nothing : Wrote::unknown, .error = committed.error()};
  }
  journal_.follow(row.place);
  floor_ = std::max(floor_, dropped_);
  // If it fails, the one before stands, which says less.
  static_cast<void>(witness_.testify(testimony(false)));
  if (++commits_ % kCommitsBetweenLooks == 0) look_after_files();
  return {};
}

Sql<void> HistoryFile::append(const HistoryRow& row, const KeyRows& keys) {
  TOCSIN_ASSERT(!row.bytes.empty() && !database_.in_transaction());
  if (auto made = make_room(row.time_ms, row.bytes.size() + keys.known.size() * kMostKeyRow);
      !made) {
    return made;
  }
  Statement& insert = statements_->insert;
  insert.bind(1, static_cast<std::int64_t>(row.place.last))
      .bind(2, static_cast<std::int64_t>(row.place.events()))
      .bind(3, static_cast<std::int64_t>(row.time_ms))
      .bind(4, checksum_of(row))
      .bind(5, row.bytes);
  if (auto inserted = insert.run(); !inserted) return inserted;
  const auto changed = change_keys(keys);
  if (changed || !is_unreadable(changed.error())) return changed;
  roll_back();
  give_up_keys(changed.error());
  return append(row, keys);
}

// Begins the transaction, and drops what goes. What is damaged and cannot be dropped stays, and
// stops no publisher: the file may grow meanwhile, to its bound.
Sql<void> HistoryFile::make_room(std::uint64_t now_ms, std::uint64_t incoming) {
  for (int tries = 0;; ++tries) {
    if (auto begun = statements_->begin.run(); !begun) return begun;
    if (tries == kMaxDropTries) return {};
    auto dropped = drop_oldest(now_ms, incoming);
    if (dropped || !is_unreadable(dropped.error())) return dropped;
    roll_back();  // also what the statement had done before it met the damage
    step_over(dropped.error());
  }
}

// The rows that were to go, or what is where the oldest would be.
void HistoryFile::step_over(const SqlError& why) {
  const auto newest = static_cast<std::int64_t>(journal_.last());
  if (!dropping_ || drop_from_ > newest) return;
  std::int64_t end = *dropping_;
  if (end < drop_from_) {
    const auto damage = find_damage(database_, why, drop_from_ - 1, newest);
    if (!damage) return;
    end = damage->end;
  }
  static constinit log::OncePerSecond place;
  place.write(now_ns(), LogLevel::error, "the history is damaged; what cannot be dropped stays",
              {{"history", options_.path}, {"up_to", end}, {"error", why.text}});
  drop_from_ = end + 1;
}

// Their table is damaged. What comes in is published all the same.
void HistoryFile::give_up_keys(const SqlError& why) {
  TOCSIN_ASSERT(keys_kept_);
  keys_kept_ = false;
  log::error("the history's keys are damaged: what is published again may be there twice",
             {{"history", options_.path}, {"error", why.text}});
}

Sql<void> HistoryFile::change_keys(const KeyRows& keys) {
  TOCSIN_ASSERT(database_.in_transaction());
  if (!keys_kept_) return {};
  for (const KeyRow& row : keys.known) {
    const std::string_view name(reinterpret_cast<const char*>(row.key.name.data()),
                                row.key.name.size());
    Statement& insert = statements_->insert_key;
    insert.bind(1, static_cast<std::int64_t>(row.place.last))
        .bind(2, static_cast<std::int64_t>(row.place.events()))
        .bind(3, static_cast<std::int64_t>(row.key.time_ms))
        .bind(4, name)
        .bind(5, static_cast<std::int64_t>(row.key.number))
        .bind(6, static_cast<std::int64_t>(row.key.content))
        .bind(7, checksum_of(row));
    if (auto done = insert.run(); !done) return done;
  }
  for (const core::Sequence last : keys.gone) {
    Statement& remove = statements_->remove_key;
    if (auto done = remove.bind(1, static_cast<std::int64_t>(last)).run(); !done) return done;
  }
  return {};
}

// As much as is too old; where the file is full twice what comes in, so that it shrinks; and what
// SQLite needs so that the file stays below its own bound, however small the rows are.
Sql<void> HistoryFile::drop_oldest(std::uint64_t now_ms, std::uint64_t incoming) {
  if (auto measured = measure(); !measured) return measured;
  const bool full = bytes_in_use() + incoming > options_.max_bytes;
  const std::uint64_t needed = incoming / page_bytes_ + kMorePages;
  auto dropped = drop_some(now_ms, full ? 2 * incoming : 0);
  while (dropped) {
    if (auto measured = measure(); !measured) return measured;
    const std::uint64_t used = pages_ - free_pages_;
    if (max_pages_ - std::min(max_pages_, used) >= needed) return {};
    dropped = drop_some(now_ms, 2 * incoming);
    if (dropped && !*dropped) return {};
  }
  return std::unexpected(dropped.error());
}

// The oldest rows of so many bytes together, and those that are too old. False: there was none.
Sql<bool> HistoryFile::drop_some(std::uint64_t now_ms, std::uint64_t bytes) {
  TOCSIN_ASSERT(database_.in_transaction());
  const std::uint64_t oldest_kept =
      options_.max_age_ms == 0 ? 0 : now_ms - std::min(now_ms, options_.max_age_ms);
  dropping_ = drop_from_ - 1;
  std::uint64_t sum = 0;
  Statement& oldest = statements_->oldest;
  oldest.bind(1, drop_from_).bind(2, kMaxDroppedRows);
  while (true) {
    const auto row = oldest.step();
    if (!row && *dropping_ >= drop_from_) break;  // first what is before it
    if (!row) return std::unexpected(row.error());
    if (!*row) break;
    const auto time_ms = static_cast<std::uint64_t>(oldest.number_at(1));
    if (sum >= bytes && time_ms >= oldest_kept) break;
    if (oldest.number_at(0) <= *dropping_) {
      oldest.reset();
      return damaged("batches are not in their order");
    }
    dropping_ = oldest.number_at(0);
    sum += static_cast<std::uint64_t>(oldest.number_at(2));
  }
  oldest.reset();
  const std::int64_t last = *dropping_;
  if (last >= drop_from_) {
    auto removed = statements_->remove.bind(1, drop_from_).bind(2, last).run();
    if (!removed) return std::unexpected(removed.error());
    dropped_ = static_cast<core::Sequence>(last);
  }
  dropping_.reset();
  return last >= drop_from_;
}

Sql<void> HistoryFile::measure() {
  const auto pages = statements_->pages.number();
  if (!pages) return std::unexpected(pages.error());
  const auto free = statements_->free_pages.number();
  if (!free) return std::unexpected(free.error());
  if (*free < 0 || *free > *pages) {
    return damaged("more pages are free than there are");
  }
  pages_ = static_cast<std::uint64_t>(*pages);
  free_pages_ = static_cast<std::uint64_t>(*free);
  return {};
}

// Some errors end the transaction by themselves.
void HistoryFile::roll_back() {
  dropped_ = floor_;
  if (database_.in_transaction()) static_cast<void>(statements_->rollback.run());
}

Sql<void> HistoryFile::try_out() {
  auto done = statements_->begin.run();
  if (done) done = database_.run("INSERT OR REPLACE INTO meta VALUES ('tried', random())");
  if (done) done = statements_->commit.run();
  if (!done) {
    roll_back();
    return done;
  }
  if (auto moved = database_.number("PRAGMA wal_checkpoint(PASSIVE)"); !moved) {
    return std::unexpected(moved.error());
  }
  if (take_reserve() || reserve_.free_bytes() >= kEnoughRoom) return {};
  std::string text = fmt::format("the disk of {} has less than {} MiB free", options_.path,
                                 kEnoughRoom / limits::kMiB);
  return std::unexpected(SqlError{.code = SQLITE_FULL, .text = std::move(text)});
}

// Not the last room: it would be given up again at the next commit.
bool HistoryFile::take_reserve() {
  if (reserve_.is_whole()) return true;
  const std::uint64_t free = reserve_.free_bytes();
  return free >= kEnoughRoom && free - kEnoughRoom >= reserve_.bytes() && reserve_.take();
}

// Now and then: takes a reserve that there was no room for, and says when the file was removed or
// another is in its place: all that is published goes with this process then.
void HistoryFile::look_after_files() {
  TOCSIN_ASSERT(inode_ != 0);
  static_cast<void>(take_reserve());
  struct stat status{};
  const bool there = ::stat(options_.path.c_str(), &status) == 0 && status.st_ino == inode_;
  if (!there && !is_removed_) {
    log::error("the history's file was removed: no restart will have what is published",
               {{"history", options_.path}});
  }
  is_removed_ = !there;
}

Testimony HistoryFile::testimony(bool closed) const {
  TOCSIN_ASSERT(inode_ != 0);
  return {.newest = {.epoch = journal_.epochs().current(), .sequence = journal_.last()},
          .file = inode_,
          .synced = options_.sync == HistorySync::full,
          .closed = closed,
          .changed_ns = closed ? file_.changed_ns() : 0,
          .boot = boot_};
}

// --- reading ---

Sql<void> HistoryFile::read_keys(const std::function<void(const KeyRow&)>& use) {
  if (!keys_kept_) return {};
  auto rows = database_.prepare(std::string(kSelectKeys) + "ORDER BY last");
  if (!rows) return std::unexpected(rows.error());
  while (true) {
    const auto more = rows->step();
    if (!more) return std::unexpected(more.error());
    if (!*more) return {};
    if (const auto row = key_at(*rows, journal_.epochs())) {
      use(*row);
    } else {
      log::error("a key of the history is damaged: its events may be published again",
                 {{"history", options_.path}, {"event", rows->number_at(0)}});
    }
  }
}

Sql<void> HistoryFile::read(const UseRow& use) {
  if (beginning_ == journal_.last()) return {};  // also where nothing of it can be read
  auto rows = database_.prepare(std::string(kSelectRows) + "WHERE last >= ? ORDER BY last");
  if (!rows) return std::unexpected(rows.error());
  rows->bind(1, static_cast<std::int64_t>(beginning_ + 1));  // net/store/damage.h
  while (true) {
    const auto more = rows->step();
    if (!more) return std::unexpected(more.error());
    if (!*more) return {};
    const auto row = row_at(*rows, journal_.epochs());
    // Its events were asked what they are when its beginning was looked for.
    const auto events =
        row ? read_events_again(row->bytes, row->place.events(), journal_.epochs()) : std::nullopt;
    if (!events) return damaged("a batch has changed");
    use(*row, *events);
  }
}

}  // namespace tocsin::net
