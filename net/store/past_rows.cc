#include "net/store/past_rows.h"

#include <sqlite3.h>

#include <algorithm>
#include <cstdint>

#include <fmt/format.h>

#include "net/log.h"
#include "net/store/batch_bytes.h"
#include "net/store/history_schema.h"
#include "proto/assert.h"
#include "proto/limits.h"

namespace tocsin::net {
namespace {

// Gives a row's events of (after, until]. False: no more is wanted.
bool give(const core::Place& place, const std::vector<core::NewEvent>& events,
          core::Sequence after, core::Sequence until, const core::Store::TakeEvent& take) {
  const core::Sequence last = std::min(place.last, until);
  for (core::Sequence at = std::max(place.first, after + 1); at <= last; ++at) {
    if (!take({.epoch = place.epoch, .sequence = at}, events[at - place.first])) return false;
  }
  return place.last < until;
}

}  // namespace

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
  core::Sequence at = after;  // up to here it was given, or is gone
  core::Sequence passed = after;
  std::optional<core::Sequence> above;  // the event before the first that was given
  const auto use = [&](const Decoded& row) {
    if (above && row.place.first != at + 1) return false;  // behind a hole
    if (!above) above = std::max(at, row.place.first - 1);
    if (*above >= until) return false;
    at = row.place.last;
    return give(row.place, row.events, after, until, take);
  };
  for (Row row = find(at); row != nullptr; row = find(at)) {
    if (!use(*row)) return std::min(*above, until);
  }
  rows_.bind(1, static_cast<std::int64_t>(at));
  while (true) {
    const auto more = rows_.step();
    if (!more && !above) return skip_unreadable(more.error(), after, until);
    if (!more || !*more) return std::min(above.value_or(until), until);
    const auto last = static_cast<core::Sequence>(rows_.number_at(0));
    if (last <= passed) {  // a tree that is damaged
      rows_.reset();
      return std::min(above.value_or(until), until);
    }
    passed = last;
    Row row = decode();
    if (row == nullptr && !above) continue;  // what is behind it may be there
    if (row != nullptr && use(*row)) continue;
    if (row != nullptr) keep(std::move(row));  // the next read begins with it
    rows_.reset();
    return std::min(*above, until);
  }
}

// The row that statement rows_ is at; null: it is not sound.
PastRows::Row PastRows::decode() const {
  const auto row = row_at(rows_, epochs_);
  if (!row) {
    log::error("the history is damaged: a batch is left out", {{"ends", rows_.number_at(0)}});
    return nullptr;
  }
  auto decoded = std::make_shared<Decoded>();
  decoded->place = row->place;
  decoded->bytes = row->bytes;
  auto events = read_events(decoded->bytes, row->place.events(), epochs_);
  if (!events) return nullptr;
  decoded->events = *std::move(events);
  return decoded;
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

// One that is kept and has the first event above `after`.
PastRows::Row PastRows::find(core::Sequence after) {
  const auto found = std::ranges::find_if(kept_, [after](const Row& row) {
    return row->place.first <= after + 1 && after < row->place.last;
  });
  if (found == kept_.end()) return nullptr;
  Row row = *found;
  kept_.erase(found);
  kept_.push_front(row);
  return row;
}

void PastRows::keep(Row row) {
  kept_bytes_ += row->memory();
  kept_.push_front(std::move(row));
  while (kept_bytes_ > limits::kMaxReplayRows) {
    kept_bytes_ -= kept_.back()->memory();
    kept_.pop_back();
  }
}

}  // namespace tocsin::net
