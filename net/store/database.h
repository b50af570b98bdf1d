// SQLite as this project uses it: a connection of one thread, statements, and errors as values.
//
// Threads: one at a time for a connection and all of its statements (SQLITE_OPEN_NOMUTEX).
#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

struct sqlite3;
struct sqlite3_stmt;

namespace tocsin::net {

struct SqlError {
  int code = 0;      // extended, of sqlite3.h
  std::string text{};  // for people

  // The code without what is extended about it: SQLITE_FULL, SQLITE_IOERR, …
  [[nodiscard]] int primary() const { return code & 0xff; }
};

template <typename Value>
using Sql = std::expected<Value, SqlError>;

class Statement {
 public:
  Statement() = default;  // none: to be assigned to

  // Parameters count from 1. Bytes are not copied: they stay until reset().
  Statement& bind(int parameter, std::int64_t number);
  Statement& bind(int parameter, std::string_view bytes);

  // Goes to its next row; false: there is none any more, and it is reset.
  [[nodiscard]] Sql<bool> step();
  // For one that has no rows.
  [[nodiscard]] Sql<void> run();
  // The first column of its only row.
  [[nodiscard]] Sql<std::int64_t> number();
  void reset();

  // Of the row: columns count from 0; bytes end with the next step().
  [[nodiscard]] std::int64_t number_at(int column) const;
  [[nodiscard]] std::string_view bytes_at(int column) const;

 private:
  friend class Database;
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const;
  };
  explicit Statement(sqlite3_stmt* statement) : statement_(statement) {}

  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
};

// When the last connection to a file ends, and no statement of it is left, the WAL goes into the
// file; what of that fails is done when the file is opened again.
class Database {
 public:
  // `still`: nobody changes the file, so that nothing needs to be beside it, nor locked.
  enum class Access : std::uint8_t { still, read, write, create };

  // `vfs`: the name of one that is registered; null: the usual one. Neither views nor triggers
  // work, and no row has more than 128 MiB (SQLITE_TOOBIG): the file may be from anybody.
  [[nodiscard]] static Sql<Database> open(const std::string& path, Access access,
                                          const char* vfs = nullptr);

  // Statements without parameters and rows of interest, one or more.
  [[nodiscard]] Sql<void> run(const std::string& statements);
  // The first column of the first row.
  [[nodiscard]] Sql<std::int64_t> number(const std::string& statement);
  [[nodiscard]] Sql<std::string> text(const std::string& statement);
  [[nodiscard]] Sql<Statement> prepare(std::string_view statement);

  // BEGIN was, COMMIT and ROLLBACK were not.
  [[nodiscard]] bool in_transaction() const;
  // Ends it. REQUIRES: its statements are gone.
  void close() { database_.reset(); }

 private:
  struct Close {
    void operator()(sqlite3* database) const;
  };
  explicit Database(sqlite3* database) : database_(database) {}

  std::unique_ptr<sqlite3, Close> database_;
};

}  // namespace tocsin::net
