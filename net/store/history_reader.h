// A history's file for those who look at it, also while a hub has it open. Each read is a short
// transaction: what reads for long keeps SQLite's log from becoming shorter.
//
// Threads: one at a time.
#pragma once

#include <cstdint>
#include <expected>
#include <functional>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "core/journal.h"
#include "net/store/database.h"
#include "net/store/history_row.h"

namespace tocsin::net {

class HistoryReader {
 public:
  // The error is a sentence for the operator.
  [[nodiscard]] static std::expected<HistoryReader, std::string> open(const std::string& path);

  [[nodiscard]] const core::Journal& journal() const { return journal_; }

  struct Extent {
    core::Sequence first = 0;  // the oldest event; 0: there is none
    std::uint64_t oldest_ms = 0;  // Unix time of its commit
    std::uint64_t newest_ms = 0;
    std::uint64_t file_bytes = 0;
    std::uint64_t bytes_in_use = 0;
  };
  [[nodiscard]] Sql<Extent> extent();

  // Rows from the oldest on, with their events. What is not sound is left out, and `fault` is told
  // of it in words.
  using UseRow = std::function<void(const HistoryRow&, std::span<const core::NewEvent>)>;
  using Fault = std::function<void(std::string_view)>;
  [[nodiscard]] Sql<void> walk(const UseRow& use, const Fault& fault);
  // What SQLite finds wrong with the file's own structure, line by line; empty: nothing.
  [[nodiscard]] Sql<std::string> structure();

 private:
  HistoryReader(Database database, core::Journal journal)
      : database_(std::move(database)), journal_(std::move(journal)) {}

  struct Walk {
    const UseRow& use;
    const Fault& fault;
    std::int64_t at = std::numeric_limits<std::int64_t>::min();  // the last row's number
    bool ended = false;
  };
  [[nodiscard]] Sql<void> walk_some(Statement& rows, Walk& walk);
  void use_row(const Statement& rows, Walk& walk);
  [[nodiscard]] Sql<void> pass_over(const SqlError& why, Walk& walk);
  [[nodiscard]] Sql<void> read_end(bool oldest, Extent& extent);

  Database database_;
  core::Journal journal_;
};

}  // namespace tocsin::net
