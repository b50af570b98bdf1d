#include "net/store/history_reader.h"

#include <sqlite3.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <limits>
#include <optional>

#include <fmt/format.h>

#include "net/store/batch_bytes.h"
#include "net/store/damage.h"
#include "net/store/history_path.h"
#include "net/store/history_schema.h"

namespace tocsin::net {
namespace {

// Of one transaction: some megabytes at most, but for rows that are larger alone.
constexpr std::int64_t kRowsAtOnce = 16;

std::unexpected<SqlError> damaged(std::string_view what) {
  return std::unexpected(SqlError{.code = SQLITE_CORRUPT, .text = std::string(what)});
}

// On a file system that is mounted read-only SQLite cannot make what it wants beside a file that a
// hub may have open. A hub that has it open elsewhere has a WAL beside it.
Database::Access access_to(const std::string& path) {
  struct statvfs status{};
  const bool is_read_only = ::statvfs(path.c_str(), &status) == 0 &&
                            (status.f_flag & static_cast<unsigned long>(ST_RDONLY)) != 0;
  const bool has_wal = ::access((path + "-wal").c_str(), F_OK) == 0;
  return is_read_only && !has_wal ? Database::Access::still : Database::Access::read;
}

}  // namespace

std::expected<HistoryReader, std::string> HistoryReader::open(const std::string& path) {
  const auto fault = [&](std::string_view what) {
    return std::unexpected(fmt::format("history {}: {}", path, what));
  };
  const auto place = place_of_history(path);
  if (!place) return fault(place.error());
  auto database = Database::open(*place, access_to(*place));
  if (!database) return fault(database.error().text);
  const auto is_new = is_new_history(*database);
  if (!is_new) return fault(is_new.error());
  if (*is_new) return fault("is empty");
  auto journal = read_journal(*database);
  if (!journal) return fault(journal.error().text);
  return HistoryReader(*std::move(database), *std::move(journal));
}

Sql<HistoryReader::Extent> HistoryReader::extent() {
  Extent extent;
  const auto pages = database_.number("PRAGMA page_count");
  const auto size = database_.number("PRAGMA page_size");
  const auto free = database_.number("PRAGMA freelist_count");
  for (const auto* number : {&pages, &size, &free}) {
    if (!*number) return std::unexpected(number->error());
  }
  if (*free < 0 || *free > *pages) return damaged("more pages are free than there are");
  extent.file_bytes = static_cast<std::uint64_t>(*pages * *size);
  extent.bytes_in_use = static_cast<std::uint64_t>((*pages - *free) * *size);
  for (const bool oldest : {true, false}) {
    if (auto read = read_end(oldest, extent); !read) return std::unexpected(read.error());
  }
  return extent;
}

// The oldest row, or the newest, that can be read.
Sql<void> HistoryReader::read_end(bool oldest, Extent& extent) {
  const auto end = static_cast<std::int64_t>(journal_.last());
  auto row = database_.prepare(
      fmt::format("SELECT last, n, time_ms FROM batch WHERE last >= ? ORDER BY last {} LIMIT 1",
                  oldest ? "" : "DESC"));
  if (!row) return std::unexpected(row.error());
  auto there = row->bind(1, std::numeric_limits<std::int64_t>::min()).step();
  if (!there && oldest && end > 0) {
    const auto damage = find_damage(database_, there.error(), 0, end);
    if (!damage) return std::unexpected(damage.error());
    there = row->bind(1, damage->end + 1).step();
  }
  if (!there) return std::unexpected(there.error());
  if (!*there) return {};
  const std::int64_t last = row->number_at(0);
  const std::int64_t events = row->number_at(1);
  if (last <= 0 || events <= 0 || events > last) {
    return damaged(fmt::format("the batch that ends with event {} is damaged", last));
  }
  if (oldest) extent.first = static_cast<core::Sequence>(last - events + 1);
  (oldest ? extent.oldest_ms : extent.newest_ms) = static_cast<std::uint64_t>(row->number_at(2));
  return {};
}

Sql<void> HistoryReader::walk(const UseRow& use, const Fault& fault) {
  auto rows = database_.prepare(std::string(kSelectRows) + "WHERE last >= ? ORDER BY last LIMIT ?");
  if (!rows) return std::unexpected(rows.error());
  Walk walk{.use = use, .fault = fault};
  while (!walk.ended) {
    rows->bind(1, walk.at + 1).bind(2, kRowsAtOnce);
    if (auto done = walk_some(*rows, walk); !done) return done;
    rows->reset();
  }
  return {};
}

// Rows of one transaction.
Sql<void> HistoryReader::walk_some(Statement& rows, Walk& walk) {
  for (std::int64_t read = 0; read < kRowsAtOnce; ++read) {
    const auto more = rows.step();
    if (more && !*more) {
      walk.ended = true;
      return {};
    }
    const bool in_order = more && rows.number_at(0) > walk.at;
    if (!in_order) {
      rows.reset();
      return pass_over(more ? damaged("batches are not in their order").error() : more.error(),
                       walk);
    }
    use_row(rows, walk);
  }
  return {};
}

void HistoryReader::use_row(const Statement& rows, Walk& walk) {
  const auto row = row_at(rows, journal_.epochs());
  const auto events =
      row ? read_events(row->bytes, row->place.events(), journal_.epochs()) : std::nullopt;
  const auto next = static_cast<core::Sequence>(walk.at) + 1;
  if (events && walk.at > 0 && row->place.first > next) {
    walk.fault(fmt::format("events {} to {} are missing", next, row->place.first - 1));
  }
  walk.at = rows.number_at(0);
  if (events) {
    walk.use(*row, *events);
  } else {
    walk.fault(fmt::format("the batch that ends with event {} is damaged", walk.at));
  }
}

// The next row cannot be read.
Sql<void> HistoryReader::pass_over(const SqlError& why, Walk& walk) {
  const auto end = static_cast<std::int64_t>(journal_.last());
  if (walk.at >= end) return std::unexpected(why);
  const auto damage = find_damage(database_, why, walk.at, end);
  if (!damage) return std::unexpected(damage.error());
  walk.fault(damage->is_row
                 ? fmt::format("the batch that ends with event {} is damaged", damage->end)
                 : fmt::format("what is between events {} and {} cannot be read: {}",
                               std::max<std::int64_t>(walk.at, 0), damage->end + 1, why.text));
  walk.at = damage->end;
  return {};
}

Sql<std::string> HistoryReader::structure() {
  auto lines = database_.prepare("PRAGMA integrity_check");
  if (!lines) return std::unexpected(lines.error());
  std::string text;
  while (true) {
    const auto more = lines->step();
    if (!more && more.error().primary() == SQLITE_CORRUPT) return text + more.error().text + "\n";
    if (!more) return std::unexpected(more.error());
    if (!*more) return text == "ok\n" ? std::string() : text;
    text.append(lines->bytes_at(0)).append("\n");
  }
}

}  // namespace tocsin::net
