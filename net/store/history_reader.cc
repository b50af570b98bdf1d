#include "net/store/history_reader.h"

#include <sqlite3.h>

#include <limits>
#include <optional>

#include <fmt/format.h>

#include "net/store/batch_bytes.h"
#include "net/store/history_path.h"
#include "net/store/history_schema.h"

namespace tocsin::net {
namespace {

// Of one transaction: some megabytes at most, but for rows that are larger alone.
constexpr std::int64_t kRowsAtOnce = 16;

std::unexpected<SqlError> damaged(std::string_view what) {
  return std::unexpected(SqlError{.code = SQLITE_CORRUPT, .text = std::string(what)});
}

}  // namespace

std::expected<HistoryReader, std::string> HistoryReader::open(const std::string& path) {
  const auto fault = [&](std::string_view what) {
    return std::unexpected(fmt::format("history {}: {}", path, what));
  };
  const auto place = place_of_history(path);
  if (!place) return fault(place.error());
  auto database = Database::open(*place, Database::Access::read);
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
    auto row = database_.prepare(fmt::format(
        "SELECT last, n, time_ms FROM batch ORDER BY last {} LIMIT 1", oldest ? "" : "DESC"));
    if (!row) return std::unexpected(row.error());
    const auto there = row->step();
    if (!there) return std::unexpected(there.error());
    if (!*there) break;
    const std::int64_t last = row->number_at(0);
    const std::int64_t events = row->number_at(1);
    if (last <= 0 || events <= 0 || events > last) {
      return damaged(fmt::format("the batch that ends with event {} is damaged", last));
    }
    if (oldest) extent.first = static_cast<core::Sequence>(last - events + 1);
    (oldest ? extent.oldest_ms : extent.newest_ms) = static_cast<std::uint64_t>(row->number_at(2));
  }
  return extent;
}

Sql<void> HistoryReader::walk(const UseRow& use, const Fault& fault) {
  auto rows = database_.prepare(std::string(kSelectRows) + "WHERE last > ? ORDER BY last LIMIT ?");
  if (!rows) return std::unexpected(rows.error());
  std::int64_t at = std::numeric_limits<std::int64_t>::min();
  for (std::int64_t read = kRowsAtOnce; read == kRowsAtOnce;) {
    rows->bind(1, at).bind(2, kRowsAtOnce);
    for (read = 0;; ++read) {
      const auto more = rows->step();
      if (!more) {
        const auto last = pass_over(more.error(), at);
        if (!last) return std::unexpected(last.error());
        at = *last;
        fault(fmt::format("the batch that ends with event {} is damaged", at));
        read = kRowsAtOnce;  // there may be more
        break;
      }
      if (!*more) break;
      if (rows->number_at(0) <= at) return damaged("batches are not in their order");
      const auto row = row_at(*rows, journal_.epochs());
      const auto events =
          row ? read_events(row->bytes, row->place.events(), journal_.epochs()) : std::nullopt;
      const auto next = static_cast<core::Sequence>(at) + 1;
      if (events && at > 0 && row->place.first != next) {
        fault(fmt::format("events {} to {} are missing", next, row->place.first - 1));
      }
      at = rows->number_at(0);
      if (events) {
        use(*row, *events);
      } else {
        fault(fmt::format("the batch that ends with event {} is damaged", at));
      }
    }
  }
  return {};
}

// The row above `at` cannot be read, but perhaps its number: the bytes are on other pages.
Sql<std::int64_t> HistoryReader::pass_over(const SqlError& why, std::int64_t at) {
  if (why.primary() != SQLITE_CORRUPT && why.primary() != SQLITE_TOOBIG) {
    return std::unexpected(why);
  }
  const auto last = database_.number(
      fmt::format("SELECT coalesce(min(last), {0}) FROM batch WHERE last > {0}", at));
  if (!last || *last <= at) return std::unexpected(why);
  return *last;
}

Sql<std::string> HistoryReader::structure() {
  auto lines = database_.prepare("PRAGMA integrity_check");
  if (!lines) return std::unexpected(lines.error());
  std::string text;
  while (true) {
    const auto more = lines->step();
    if (!more) return std::unexpected(more.error());
    if (!*more) return text == "ok\n" ? std::string() : text;
    text.append(lines->bytes_at(0)).append("\n");
  }
}

}  // namespace tocsin::net
