// Where a history's file goes on behind rows that cannot be read. Each row is on a page of SQLite's
// tree and, if it is large, on more; pages that lead to others may be damaged, too.
#pragma once

#include <cstdint>

#include "net/store/database.h"

namespace tocsin::net {

// What the statement had to read is damaged, as SQLite or the disk says; also of one that writes,
// which is why other errors of the disk are none.
[[nodiscard]] bool is_unreadable(const SqlError& error);

struct Damage {
  std::int64_t end = 0;  // up to here nothing can be read, and behind it the next row is looked for
  bool is_row = false;   // one, with this number, and its bytes are what cannot be read
};

// The row behind `after` could not be read, and `why`: what that means. `end` is `until` at most;
// then perhaps nothing is left. Where several stretches are damaged it may take in sound ones
// between them that are shorter than a sixteenth of what is damaged before.
// An error: it is no damage (the file is locked, there is no memory); or the disk failed, and gives
// nothing behind `after` either, so it may come back. REQUIRES: after < until.
// Rows are looked for by `last >= end + 1`: for `last > end` SQLite reads the page that had `end`.
[[nodiscard]] Sql<Damage> find_damage(Database& database, const SqlError& why, std::int64_t after,
                                      std::int64_t until);

}  // namespace tocsin::net
