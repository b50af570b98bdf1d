#include "net/store/database.h"

#include <sqlite3.h>

#include <fmt/format.h>

#include "proto/assert.h"
#include "proto/limits.h"

namespace tocsin::net {
namespace {

// Milliseconds that a statement waits for another process that writes, as a person's sqlite3 may.
constexpr int kBusyMs = 2000;

// Bytes of a row: no commit has more than what may be pending, and one batch.
constexpr int kMaxRow = 128 * limits::kMiB;
static_assert(kMaxRow >= limits::kMaxPendingPublishes + 2 * limits::kMaxEncodedBatch);

std::unexpected<SqlError> error_of(sqlite3* database) {
  const int code = sqlite3_extended_errcode(database);
  std::string text = sqlite3_errmsg(database);
  return std::unexpected(SqlError{.code = code, .text = std::move(text)});
}

// The file's URI (sqlite.org/uri.html), by which alone SQLite is told that nobody changes it.
std::string uri_of_still(std::string_view path) {
  std::string uri = "file:";
  for (const char c : path) {
    if (c == '%' || c == '?' || c == '#') {
      uri += fmt::format("%{:02x}", c);
    } else {
      uri += c;
    }
  }
  return uri + "?immutable=1";
}

// What SQLite's authors advise for files that may come from anybody (sqlite.org/security.html):
// what is in the file is data, and cannot run.
void distrust_file(sqlite3* database) {
  constexpr int kSettings[][2] = {{SQLITE_DBCONFIG_DEFENSIVE, 1},
                                  {SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0},
                                  {SQLITE_DBCONFIG_ENABLE_TRIGGER, 0},
                                  {SQLITE_DBCONFIG_ENABLE_VIEW, 0}};
  for (const auto& [setting, value] : kSettings) {
    const int code = sqlite3_db_config(database, setting, value, nullptr);
    TOCSIN_ASSERT(code == SQLITE_OK);  // it is known since 3.31
  }
  sqlite3_limit(database, SQLITE_LIMIT_LENGTH, kMaxRow);
  const int code =
      sqlite3_exec(database, "PRAGMA cell_size_check = ON", nullptr, nullptr, nullptr);
  TOCSIN_ASSERT(code == SQLITE_OK);  // it reads nothing of the file
}

}  // namespace

// --- statements

void Statement::Finalize::operator()(sqlite3_stmt* statement) const {
  sqlite3_finalize(statement);
}

Statement& Statement::bind(int parameter, std::int64_t number) {
  const int code = sqlite3_bind_int64(statement_.get(), parameter, number);
  TOCSIN_ASSERT(code == SQLITE_OK);  // there is such a parameter, and it is between two runs
  return *this;
}

Statement& Statement::bind(int parameter, std::string_view bytes) {
  // SQLITE_STATIC: the bytes stay. A null pointer would be NULL.
  const int code = sqlite3_bind_blob64(statement_.get(), parameter,
                                       bytes.data() == nullptr ? "" : bytes.data(), bytes.size(),
                                       SQLITE_STATIC);
  TOCSIN_ASSERT(code == SQLITE_OK);
  return *this;
}

Sql<bool> Statement::step() {
  TOCSIN_ASSERT(statement_ != nullptr);
  const int code = sqlite3_step(statement_.get());
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) {
    reset();
    return false;
  }
  auto error = error_of(sqlite3_db_handle(statement_.get()));
  reset();
  return error;
}

Sql<void> Statement::run() {
  const auto row = step();
  if (!row) return std::unexpected(row.error());
  TOCSIN_ASSERT(!*row);
  return {};
}

Sql<std::int64_t> Statement::number() {
  const auto row = step();
  if (!row) return std::unexpected(row.error());
  TOCSIN_ASSERT(*row);
  const std::int64_t number = number_at(0);
  reset();
  return number;
}

void Statement::reset() {
  sqlite3_reset(statement_.get());  // repeats the error of step()
}

std::int64_t Statement::number_at(int column) const {
  TOCSIN_DEBUG_ASSERT(column < sqlite3_data_count(statement_.get()));  // there is a row
  return sqlite3_column_int64(statement_.get(), column);
}

std::string_view Statement::bytes_at(int column) const {
  TOCSIN_DEBUG_ASSERT(column < sqlite3_data_count(statement_.get()));
  // In this order, says its documentation.
  const auto* bytes = static_cast<const char*>(sqlite3_column_blob(statement_.get(), column));
  const int size = sqlite3_column_bytes(statement_.get(), column);
  return {bytes, static_cast<std::size_t>(size)};
}

// --- connections

void Database::Close::operator()(sqlite3* database) const {
  sqlite3_close_v2(database);
}

Sql<Database> Database::open(const std::string& path, Access access, const char* vfs) {
  int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
  const bool is_still = access == Access::still;
  const bool reads = is_still || access == Access::read;
  flags |= reads ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE;
  if (is_still) flags |= SQLITE_OPEN_URI;
  if (access == Access::create) flags |= SQLITE_OPEN_CREATE;
  sqlite3* opened = nullptr;
  const std::string name = is_still ? uri_of_still(path) : path;
  const int code = sqlite3_open_v2(name.c_str(), &opened, flags, vfs);
  if (opened == nullptr) {
    return std::unexpected(SqlError{.code = code, .text = sqlite3_errstr(code)});
  }
  Database database(opened);
  if (code != SQLITE_OK) return error_of(opened);
  sqlite3_busy_timeout(opened, kBusyMs);
  distrust_file(opened);
  return database;
}

Sql<void> Database::run(const std::string& statements) {
  if (sqlite3_exec(database_.get(), statements.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK) {
    return error_of(database_.get());
  }
  return {};
}

Sql<std::int64_t> Database::number(const std::string& statement) {
  auto prepared = prepare(statement);
  if (!prepared) return std::unexpected(prepared.error());
  return prepared->number();
}

Sql<std::string> Database::text(const std::string& statement) {
  auto prepared = prepare(statement);
  if (!prepared) return std::unexpected(prepared.error());
  const auto row = prepared->step();
  if (!row) return std::unexpected(row.error());
  return *row ? std::string(prepared->bytes_at(0)) : std::string();
}

Sql<Statement> Database::prepare(std::string_view statement) {
  sqlite3_stmt* prepared = nullptr;
  const int code =
      sqlite3_prepare_v3(database_.get(), statement.data(), static_cast<int>(statement.size()),
                         SQLITE_PREPARE_PERSISTENT, &prepared, nullptr);
  if (code != SQLITE_OK) return error_of(database_.get());
  TOCSIN_ASSERT(prepared != nullptr);
  return Statement(prepared);
}

bool Database::in_transaction() const {
  TOCSIN_ASSERT(database_ != nullptr);  // it was not closed
  return sqlite3_get_autocommit(database_.get()) == 0;
}

}  // namespace tocsin::net
