// Events of a history's file in their order, for a hub that has the file open and gives what its
// memory has no more (Store::read). A connection of its own that only reads; each read is one short
// transaction, as what reads for long keeps SQLite's log from becoming shorter.
//
// Threads: one at a time.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "core/epochs.h"
#include "core/store.h"
#include "net/store/database.h"
#include "net/store/past_batches.h"

namespace tocsin::net {

class PastRows {
 public:
  // `epochs`: the file's. `vfs`: see Database::open.
  [[nodiscard]] static Sql<std::unique_ptr<PastRows>> open(const std::string& path,
                                                           core::Epochs epochs, const char* vfs);

  // As Store::read. A row that is not sound, or cannot be read, is as one that is gone.
  [[nodiscard]] Sql<core::Sequence> read(core::Sequence after, core::Sequence until,
                                         const core::Store::TakeEvent& take);

 private:
  PastRows(Database database, core::Epochs epochs)
      : database_(std::move(database)), epochs_(std::move(epochs)) {}

  [[nodiscard]] PastBatchRef decode() const;
  [[nodiscard]] Sql<core::Sequence> pass_over(const SqlError& why, core::Sequence after,
                                              core::Sequence until);

  Database database_;
  Statement rows_;  // gone before the database is
  const core::Epochs epochs_;
  PastBatches batches_;
};

}  // namespace tocsin::net
