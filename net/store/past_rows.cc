#include "net/store/past_rows.h"

#include <sqlite3.h>

#include <algorithm>
#include <cstdint>

#include <fmt/format.h>

#include "net/log.h"
#include "net/store/history_row.h"
#include "net/store/history_schema.h"
#include "proto/assert.h"

namespace tocsin::net {

Sql<std::unique_ptr<PastRows>> PastRows::open(const std::string& path, core::Epochs epochs,
                                              const char* vfs) {
  auto database = Database::open(path, Database::Access::read, vfs);
  if (!database) return std::unexpected(database.error());
  std::unique_ptr<PastRows> rows(new PastRows(*std::move(database), std::move(epochs)));
  auto statement =
      rows->database_.prepare(std::string(kSelectRows) + "WHERE last > ? ORDER BY last");
  if (!statement) return std::unexpected(statement.error());
  rows->rows_ = *std::move(statement);
  return rows;
}

Sql<core::Sequence> PastRows::read(core::Sequence after, core::Sequence until,
                                   const core::Store::TakeEvent& take) {
  TOCSIN_ASSERT(after < until);
  PastRead read(after, until, take);
  if (!batches_.give_kept(read)) return read.above();
  core::Sequence passed = read.at();
  rows_.bind(1, static_cast<std::int64_t>(passed));
  while (true) {
    const auto more = rows_.step();
    if (!more && !read.has_begun()) return skip_unreadable(more.error(), after, until);
    if (!more || !*more) return read.above();
    const auto last = static_cast<core::Sequence>(rows_.number_at(0));
    if (last <= passed) break;  // a tree that is damaged
    passed = last;
    if (!batches_.give(decode(), read)) break;
  }
  rows_.reset();
  return read.above();
}

// The row that statement rows_ is at; null: it is not sound.
PastBatchRef PastRows::decode() const {
  const auto row = row_at(rows_, epochs_);
  PastBatchRef batch = row ? PastBatch::decode(row->place, row->bytes, epochs_) : nullptr;
  if (batch == nullptr) {
    log::error("the history is damaged: a batch is left out", {{"ends", rows_.number_at(0)}});
  }
  return batch;
}

// The first row above `after` cannot be read: with a disk or a file that is damaged there it is
// gone, and what is behind it may not be. Returns its last event.
Sql<core::Sequence> PastRows::skip_unreadable(const SqlError& why, core::Sequence after,
                                              core::Sequence until) {
  if (why.primary() != SQLITE_CORRUPT && why.primary() != SQLITE_IOERR) {
    return std::unexpected(why);
  }
  // The key alone: the row's bytes are on other pages.
  const auto last =
      database_.number(fmt::format("SELECT min(last) FROM batch WHERE last > {}", after));
  if (!last || *last == 0) return std::unexpected(why);
  log::error("the history is damaged: a batch is left out",
             {{"ends", *last}, {"error", why.text}});
  return std::min(static_cast<core::Sequence>(*last), until);
}

}  // namespace tocsin::net
