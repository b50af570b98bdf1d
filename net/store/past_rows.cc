#include "net/store/past_rows.h"

#include <sqlite3.h>

#include <cstdint>

#include "net/log.h"
#include "net/store/damage.h"
#include "net/store/history_row.h"
#include "net/store/history_schema.h"
#include "proto/assert.h"

namespace tocsin::net {
namespace {

const SqlError kDisorder{.code = SQLITE_CORRUPT, .text = "batches are not in their order"};

}  // namespace

Sql<std::unique_ptr<PastRows>> PastRows::open(const std::string& path, core::Epochs epochs,
                                              const char* vfs) {
  auto database = Database::open(path, Database::Access::read, vfs);
  if (!database) return std::unexpected(database.error());
  std::unique_ptr<PastRows> rows(new PastRows(*std::move(database), std::move(epochs)));
  auto statement =
      rows->database_.prepare(std::string(kSelectRows) + "WHERE last >= ? ORDER BY last");
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
  rows_.bind(1, static_cast<std::int64_t>(passed + 1));
  while (true) {
    const auto more = rows_.step();
    if (more && !*more) return read.above();
    const core::Sequence last = more ? static_cast<core::Sequence>(rows_.number_at(0)) : 0;
    if (last > passed) {
      passed = last;
      if (!batches_.give(decode(), read)) break;
      continue;
    }
    if (read.has_begun()) break;  // who comes again begins with the damage
    const auto damage = pass_over(more ? kDisorder : more.error(), passed, until);
    if (!damage) return std::unexpected(damage.error());
    passed = *damage;
    if (passed >= until) break;
    rows_.bind(1, static_cast<std::int64_t>(passed + 1));
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

// The first row above `after` cannot be read. Returns up to where that is so.
Sql<core::Sequence> PastRows::pass_over(const SqlError& why, core::Sequence after,
                                        core::Sequence until) {
  rows_.reset();
  const auto damage = find_damage(database_, why, static_cast<std::int64_t>(after),
                                  static_cast<std::int64_t>(until));
  if (!damage) return std::unexpected(damage.error());
  log::error("the history is damaged: batches are left out",
             {{"behind", after}, {"ends", damage->end}, {"error", why.text}});
  return static_cast<core::Sequence>(damage->end);
}

}  // namespace tocsin::net
