#include "net/store/history_schema.h"

#include <sqlite3.h>

#include <algorithm>
#include <string_view>

#include <fmt/format.h>

#include "net/store/epochs_text.h"

namespace tocsin::net {
namespace {

struct KeptTable {
  std::int64_t since;  // the version
  std::string_view name;
  std::string_view made;  // by this statement, of which SQLite keeps every blank
};
constexpr KeptTable kTables[] = {
    {1, "meta", "CREATE TABLE meta(key TEXT PRIMARY KEY, value) WITHOUT ROWID"},
    {1, "batch",
     R"(CREATE TABLE batch(last INTEGER PRIMARY KEY, n INTEGER NOT NULL, time_ms INTEGER NOT NULL,
                     crc INTEGER NOT NULL, bytes BLOB NOT NULL))"},
    // By `last`, because rows come and go in that order: by name each would change a page of its
    // own.
    {2, "producer",
     R"(CREATE TABLE producer(last INTEGER PRIMARY KEY, n INTEGER NOT NULL,
                        time_ms INTEGER NOT NULL, name BLOB NOT NULL, number INTEGER NOT NULL,
                        content INTEGER NOT NULL, crc INTEGER NOT NULL))"},
};

// A sequence that a history has not after a thousand years, and from which it can go on.
constexpr std::int64_t kMaxLast = std::int64_t{1} << 60;

// Whether there is what make_history() has made, to the letter, and nothing else. A view may have
// the name of a table, and no end; a trigger may delete what comes in; of a table with other
// columns, or with the pages of another, nobody knows what it does.
Sql<bool> has_tables(Database& database, std::int64_t version) {
  auto rows = database.prepare(
      "SELECT type, name, tbl_name, sql, rootpage FROM sqlite_schema ORDER BY rootpage");
  if (!rows) return std::unexpected(rows.error());
  const auto belongs = [version](const KeptTable& table) { return table.since <= version; };
  auto missing = std::ranges::count_if(kTables, belongs);
  std::int64_t page = 1;  // SQLite's own
  while (true) {
    const auto more = rows->step();
    if (!more) return std::unexpected(more.error());
    if (!*more) return missing == 0;
    const auto* table = std::ranges::find(kTables, rows->bytes_at(1), &KeptTable::name);
    const bool is_ours = table != std::end(kTables) && belongs(*table) &&
                         rows->bytes_at(0) == "table" && rows->bytes_at(2) == table->name &&
                         rows->bytes_at(3) == table->made && rows->number_at(4) > page;
    if (!is_ours) return false;
    page = rows->number_at(4);
    --missing;  // SQLite reads no schema with two tables of one name
  }
}

}  // namespace

std::expected<bool, std::string> is_new_history(Database& database) {
  const auto application = database.number("PRAGMA application_id");
  if (!application) {
    const bool foreign = application.error().primary() == SQLITE_NOTADB;
    return std::unexpected(foreign ? "is another kind of file" : application.error().text);
  }
  const auto version = database.number("PRAGMA user_version");
  if (!version) return std::unexpected(version.error().text);
  const auto objects = database.number("SELECT count(*) FROM sqlite_schema");
  if (!objects) return std::unexpected(objects.error().text);
  if (*application == 0 && *version == 0 && *objects == 0) return true;
  if (*application != kHistoryApplication) {
    return std::unexpected("is the database of another program");
  }
  if (*version > kHistoryVersion) {
    return std::unexpected(
        fmt::format("is of a later version of tocsin (schema {}, known up to {})", *version,
                    kHistoryVersion));
  }
  const auto whole = has_tables(database, *version);
  if (!whole) return std::unexpected(whole.error().text);
  if (!*whole) return std::unexpected("has other tables, views or triggers than a history");
  const auto drafts = database.number("SELECT count(*) FROM meta WHERE key = 'draft'");
  if (!drafts) return std::unexpected(drafts.error().text);
  if (*drafts > 0) return std::unexpected("is of an import that did not end: remove it");
  return false;
}

Sql<void> make_history(Database& database, const core::Epochs& epochs, Draft draft) {
  std::string made = "BEGIN IMMEDIATE; ";
  for (const KeptTable& table : kTables) made.append(table.made).append("; ");
  if (draft == Draft::yes) made += "INSERT INTO meta VALUES ('draft', 1); ";
  return database.run(
      made + fmt::format("INSERT INTO meta VALUES ('epochs', '{}'); "
                         "PRAGMA application_id = {}; PRAGMA user_version = {}; COMMIT",
                         epochs_text(epochs), kHistoryApplication, kHistoryVersion));
}

Sql<void> finish_history(Database& database) {
  return database.run("DELETE FROM meta WHERE key = 'draft'");
}

Sql<void> migrate_history(Database& database) {
  const auto version = database.number("PRAGMA user_version");
  if (!version) return std::unexpected(version.error());
  if (*version == kHistoryVersion) return {};
  std::string made = "BEGIN IMMEDIATE; ";
  for (const KeptTable& table : kTables) {
    if (table.since > *version) made.append(table.made).append("; ");
  }
  return database.run(made + fmt::format("PRAGMA user_version = {}; COMMIT", kHistoryVersion));
}

Sql<core::Journal> read_journal(Database& database) {
  const auto text = database.text("SELECT value FROM meta WHERE key = 'epochs'");
  if (!text) return std::unexpected(text.error());
  const auto epochs = read_epochs(*text);
  if (!epochs) {
    return std::unexpected(SqlError{.code = SQLITE_CORRUPT, .text = "has no epochs"});
  }
  const auto last = database.number("SELECT coalesce(max(last), 0) FROM batch");
  if (!last) return std::unexpected(last.error());
  if (*last < 0 || *last > kMaxLast) {
    return std::unexpected(
        SqlError{.code = SQLITE_CORRUPT, .text = "has an event that no history comes to"});
  }
  return core::Journal(*epochs, static_cast<core::Sequence>(*last));
}

Sql<void> save_epochs(Database& database, const core::Epochs& epochs) {
  return database.run(
      fmt::format("UPDATE meta SET value = '{}' WHERE key = 'epochs'", epochs_text(epochs)));
}

}  // namespace tocsin::net
