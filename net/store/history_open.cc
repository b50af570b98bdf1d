// How a history's file is made, opened and judged.
#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <random>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "net/log.h"
#include "net/store/batch_bytes.h"
#include "net/store/damage.h"
#include "net/store/history_file.h"
#include "net/store/history_path.h"
#include "net/store/history_row.h"
#include "net/store/history_schema.h"

namespace tocsin::net {
namespace {

// Larger than SQLite's own choice, with which a batch of some megabytes is a chain of a thousand
// pages, and takes twice the time.
constexpr int kPageBytes = 16'384;
// Past so many bytes the WAL is cut when it has gone into the file, which begins at so many pages.
constexpr int kWalBytes = 64 * 1024 * 1024;
constexpr int kCheckpointPages = 1000;
// Memory for pages: a commit's, so that it goes into the WAL in one go.
constexpr int kCacheKiB = 32 * 1024;

// Random, as it names a history among all that there are: two hubs that begin in the same second,
// and one whose files were removed, must not give the same ids to different events.
proto::Epoch new_epoch(const core::Epochs* epochs) {
  std::random_device device;
  while (true) {
    const auto epoch = static_cast<proto::Epoch>(device());
    if (epochs == nullptr || !epochs->has(epoch)) return epoch;
  }
}

// Events are their readers' alone. SQLite would let everybody read the file, and gives what it puts
// beside a file the same rights.
void make_private(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd >= 0) ::close(fd);
}

std::unexpected<std::string> fault(const HistoryFileOptions& options, std::string_view what) {
  return std::unexpected(fmt::format("history {}: {}", options.path, what));
}

}  // namespace

std::expected<std::unique_ptr<HistoryFile>, std::string> HistoryFile::open(
    const HistoryFileOptions& named) {
  const auto place = place_of_history(named.path);
  if (!place) return fault(named, place.error());
  HistoryFileOptions options = named;
  options.path = *place;
  auto witness = Witness::take(options.path + ".lock", options.patience);
  if (!witness) return fault(options, witness.error());
  make_private(options.path);
  if (const std::string exposed = exposure_of_history(options.path); !exposed.empty()) {
    log::warning("the history is not private", {{"because", exposed}});
  }
  auto own = LockedFile::open(options.path, O_RDONLY);
  if (!own) return fault(options, own.error());
  if (const int error = own->lock(options.patience); error != 0) {
    return fault(options, error == EWOULDBLOCK
                              ? "another hub has this history open, by another name"
                              : fmt::format("cannot be locked: {}", std::strerror(error)));
  }
  auto database = Database::open(options.path, Database::Access::create, options.vfs);
  if (!database) return fault(options, database.error().text);
  std::unique_ptr<HistoryFile> file(
      new HistoryFile(options, *std::move(witness), *std::move(own), *std::move(database)));
  if (auto begun = file->begin(); !begun) return std::unexpected(begun.error());
  return file;
}

HistoryFile::Opened HistoryFile::begin() {
  const auto is_new = is_new_history(database_);
  if (!is_new) return fault(options_, is_new.error());
  if (auto done = prepare(*is_new); !done) return fault(options_, done.error().text);
  auto journal = read_journal(database_);
  if (!journal) return fault(options_, journal.error().text);
  journal_ = *std::move(journal);
  if (auto done = forget_lost_keys(); !done) {
    if (!is_unreadable(done.error())) return fault(options_, done.error().text);
    give_up_keys(done.error());
  }
  struct stat status{};
  if (::stat(options_.path.c_str(), &status) != 0) return fault(options_, "has no name any more");
  const auto inode = static_cast<std::uint64_t>(status.st_ino);
  if (const std::string why = *is_new ? "" : why_forked(inode); !why.empty()) {
    if (auto done = fork(why); !done) return fault(options_, done.error().text);
  }
  inode_ = inode;  // from here on it is ours
  find_beginning();
  find_floor();
  if (!reserve_.take()) {
    log::warning("the history has no reserve for a full disk",
                 {{"history", options_.path}, {"error", std::strerror(errno)}});
  }
  if (!witness_.testify_and_sync(testimony(false))) {
    return fault(options_, "PATH.lock cannot be written");
  }
  return {};
}

Sql<void> HistoryFile::prepare(bool is_new) {
  if (is_new) {
    if (auto sized = database_.run(fmt::format("PRAGMA page_size = {}", kPageBytes)); !sized) {
      return sized;
    }
  }
  const auto mode = database_.text("PRAGMA journal_mode = WAL");
  if (!mode) return std::unexpected(mode.error());
  if (*mode != "wal") return std::unexpected(SqlError{.text = "no WAL on this file system"});
  constexpr const char* kSync[] = {"FULL", "NORMAL", "OFF"};
  auto set = database_.run(fmt::format(
      "PRAGMA synchronous = {}; PRAGMA journal_size_limit = {}; PRAGMA wal_autocheckpoint = {}; "
      "PRAGMA cache_size = -{}",
      kSync[static_cast<int>(options_.sync)], kWalBytes, kCheckpointPages, kCacheKiB));
  if (!set) return set;
  const auto page = database_.number("PRAGMA page_size");
  if (!page) return std::unexpected(page.error());
  page_bytes_ = static_cast<std::uint64_t>(*page);
  // A quarter more than is kept, as it is dropped only by and by.
  const auto most = database_.number(fmt::format("PRAGMA max_page_count = {}",
                                                 options_.max_bytes / 4 * 5 / page_bytes_));
  if (!most) return std::unexpected(most.error());
  max_pages_ = static_cast<std::uint64_t>(*most);
  if (is_new) {
    auto made = make_history(database_, core::Epochs(new_epoch(nullptr)), options_.draft);
    if (!made) return made;
  }
  if (auto migrated = migrate_history(database_); !migrated) return migrated;
  return prepare_statements();
}

// Of events that are gone: others will have their sequences.
Sql<void> HistoryFile::forget_lost_keys() {
  return database_.run(
      fmt::format("DELETE FROM producer WHERE last > {}", journal_.last()));
}

Sql<void> HistoryFile::prepare_statements() {
  Statements& all = statements_.emplace();
  const std::pair<Statement*, const char*> texts[] = {
      {&all.begin, "BEGIN IMMEDIATE"},
      {&all.commit, "COMMIT"},
      {&all.rollback, "ROLLBACK"},
      {&all.pages, "PRAGMA page_count"},
      {&all.free_pages, "PRAGMA freelist_count"},
      {&all.insert, "INSERT INTO batch(last, n, time_ms, crc, bytes) VALUES (?, ?, ?, ?, ?)"},
      {&all.oldest,
       "SELECT last, time_ms, length(bytes) FROM batch WHERE last >= ? ORDER BY last LIMIT ?"},
      {&all.remove, "DELETE FROM batch WHERE last >= ? AND last <= ?"},
      {&all.insert_key,
       "INSERT INTO producer(last, n, time_ms, name, number, content, crc) "
       "VALUES (?, ?, ?, ?, ?, ?, ?)"},
      {&all.remove_key, "DELETE FROM producer WHERE last = ?"},
  };
  for (const auto& [statement, text] : texts) {
    auto prepared = database_.prepare(text);
    if (!prepared) return std::unexpected(prepared.error());
    *statement = *std::move(prepared);
  }
  return measure();
}

// Why it may be that acknowledged events are gone; empty: they are all here.
std::string HistoryFile::why_forked(std::uint64_t inode) const {
  const auto& before = witness_.before();
  if (!before) return "there is no PATH.lock that says what it had";
  if (before->file != inode) return "it is a copy";
  if (before->newest.epoch != journal_.epochs().current()) return "it is of another epoch";
  const auto older = journal_.epochs().older();
  if (!older.empty() && older.back().end > journal_.last()) return "it ends below its epoch";
  if (before->newest.sequence > journal_.last()) {
    return fmt::format("it had events up to {}", proto::to_string(before->newest));
  }
  if (before->changed_ns != 0 && before->changed_ns != found_ns_) {
    return "it was changed while no hub had it open";
  }
  const bool on_disk = before->synced || before->closed;
  if (!on_disk && (boot_.empty() || before->boot != boot_)) {
    return "the machine has stopped without a sync";
  }
  return {};
}

Sql<void> HistoryFile::fork(const std::string& why) {
  TOCSIN_ASSERT(!why.empty());
  const proto::EventId end{.epoch = journal_.epochs().current(), .sequence = journal_.last()};
  journal_.fork(new_epoch(&journal_.epochs()), journal_.last());
  auto saved = save_epochs(database_, journal_.epochs());
  if (saved) {
    log::warning("the history goes on in a new epoch: its newest events may be gone",
                 {{"history", options_.path},
                  {"because", why},
                  {"ends", proto::to_string(end)},
                  {"epoch", fmt::format("{:08x}", journal_.epochs().current())}});
  }
  return saved;
}

// Behind which event all is told of. What is older is gone for readers, who are told of that.
void HistoryFile::find_beginning() {
  beginning_ = journal_.last();
  walk_down();
  if (is_open_upwards()) return;
  log::error("the history is damaged; what it has is lost", {{"history", options_.path}});
  beginning_ = journal_.last();
}

void HistoryFile::find_floor() {
  floor_ = beginning_;
  const auto floor = database_.number(fmt::format(
      "SELECT coalesce((SELECT last - n FROM batch ORDER BY last LIMIT 1), {})", beginning_));
  if (floor && *floor >= 0) floor_ = std::min(beginning_, static_cast<core::Sequence>(*floor));
  if (floor || beginning_ == 0) return;
  const auto damage =
      find_damage(database_, floor.error(), 0, static_cast<std::int64_t>(beginning_));
  if (damage) floor_ = static_cast<core::Sequence>(damage->end);
}

// From the newest batch backwards, as long as all is sound, without a hole, and wanted.
void HistoryFile::walk_down() {
  const std::uint64_t now_ms = row_time_ms();
  std::uint64_t bytes = 0;
  auto rows = database_.prepare(std::string(kSelectRows) + "ORDER BY last DESC");
  auto more = rows ? rows->step() : std::unexpected(rows.error());
  for (; more && *more; more = rows->step()) {
    const auto row = row_at(*rows, journal_.epochs());
    bytes += row ? row->bytes.size() : 0;
    const bool is_old = row && options_.load_age_ms > 0 && now_ms > options_.load_age_ms &&
                        row->time_ms < now_ms - options_.load_age_ms;
    if (bytes > options_.load_bytes || is_old) return;
    if (!row || row->place.last != beginning_ ||
        !read_events(row->bytes, row->place.events(), journal_.epochs())) {
      log::error("the history is damaged; what is older is lost",
                 {{"history", options_.path}, {"behind", beginning_}});
      return;
    }
    beginning_ = row->place.first - 1;
  }
  if (!more) {
    log::error("the history is damaged; what is older is lost", {{"history", options_.path},
                                                                 {"behind", beginning_},
                                                                 {"error", more.error().text}});
  }
}

// Whether read() will find what walk_down() has: it comes there by other pages of SQLite's tree,
// which may be damaged.
bool HistoryFile::is_open_upwards() {
  if (beginning_ == journal_.last()) return true;
  auto rows = database_.prepare("SELECT last, n FROM batch WHERE last >= ? ORDER BY last");
  if (!rows) return false;
  rows->bind(1, static_cast<std::int64_t>(beginning_ + 1));  // net/store/damage.h
  core::Sequence at = beginning_;
  while (true) {
    const auto more = rows->step();
    if (!more) return false;
    if (!*more) return at == journal_.last();
    const auto last = static_cast<core::Sequence>(rows->number_at(0));
    if (last <= at || last - at != static_cast<std::uint64_t>(rows->number_at(1))) return false;
    at = last;
  }
}

}  // namespace tocsin::net
