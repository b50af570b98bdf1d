#include "net/store/history_schema.h"

#include <sqlite3.h>

#include <fmt/format.h>

#include "net/store/epochs_text.h"

namespace tocsin::net {
namespace {

constexpr const char* kTables = R"(
  CREATE TABLE meta(key TEXT PRIMARY KEY, value) WITHOUT ROWID;
  CREATE TABLE batch(last INTEGER PRIMARY KEY, n INTEGER NOT NULL, time_ms INTEGER NOT NULL,
                     crc INTEGER NOT NULL, bytes BLOB NOT NULL))";

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
  if (*version <= kHistoryVersion) return false;
  return std::unexpected(
      fmt::format("is of a later version of tocsin (schema {}, known up to {})", *version,
                  kHistoryVersion));
}

Sql<void> make_history(Database& database, const core::Epochs& epochs) {
  return database.run(fmt::format(
      "BEGIN IMMEDIATE; {}; INSERT INTO meta VALUES ('epochs', '{}'); "
      "PRAGMA application_id = {}; PRAGMA user_version = {}; COMMIT",
      kTables, epochs_text(epochs), kHistoryApplication, kHistoryVersion));
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
  return core::Journal(*epochs, static_cast<core::Sequence>(*last));
}

Sql<void> save_epochs(Database& database, const core::Epochs& epochs) {
  return database.run(
      fmt::format("UPDATE meta SET value = '{}' WHERE key = 'epochs'", epochs_text(epochs)));
}

}  // namespace tocsin::net
