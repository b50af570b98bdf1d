#include "net/store/sqlite_store.h"

#include <pthread.h>
#include <sqlite3.h>

#include <algorithm>
#include <chrono>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "net/base/clock.h"
#include "net/base/thread_signals.h"
#include "net/log.h"
#include "net/store/batch_bytes.h"
#include "proto/assert.h"
#include "proto/limits.h"

namespace tocsin::net {
namespace {

using Outcome = core::StoreAnswer::Outcome;
using Wrote = HistoryFile::Wrote;

// Between two tries whether it can go on.
constexpr std::chrono::milliseconds kPause{1000};

// Memory of a row that stays for the next one.
constexpr std::size_t kKeptRow = 4 * limits::kMiB;

std::size_t bytes_of(const core::Batch& batch) {
  std::size_t bytes = 0;
  for (const core::NewEvent& event : batch.events()) bytes += event.body.size();
  return bytes;
}

}  // namespace

std::expected<std::unique_ptr<core::Store>, std::string> SqliteStore::open(
    const HistoryFileOptions& options) {
  auto file = HistoryFile::open(options);
  if (!file) return std::unexpected(file.error());
  return std::unique_ptr<core::Store>(new SqliteStore(*std::move(file)));
}

SqliteStore::SqliteStore(std::unique_ptr<HistoryFile> file)
    : file_(std::move(file)),
      beginning_(file_->journal().epochs(), file_->beginning()),
      floor_(file_->floor()) {
  const auto read = file_->read_keys([this](const KeyRow& row) {
    keys_.restore(row.key, row.place, &gone_keys_);
  });
  if (!read) {
    log::error("the history's keys cannot be read: what is published again may be there twice",
               {{"error", read.error().text}});
  }
}

SqliteStore::~SqliteStore() {
  stop();
}

void SqliteStore::start(Client& client) {
  TOCSIN_ASSERT(client_ == nullptr && file_ != nullptr);
  client_ = &client;
  const std::uint64_t now_ms = row_time_ms();
  core::Sequence told = beginning_.last();
  const auto read = file_->read(
      [&](const HistoryRow& row, std::span<const core::NewEvent> events) {
        client.committed(row.place, events, now_ms - std::min(now_ms, row.time_ms));
        told = row.place.last;
      });
  // It was read, and sound, a moment ago. A hub that lacks some of it would never be told of more.
  if (!read) log::error("the history changed while it was read", {{"error", read.error().text}});
  TOCSIN_ASSERT(read && told == file_->journal().last());
  client.counted({.history_bytes = file_->bytes_in_use()});
  const SignalsBlocked blocked;  // they are for the threads of whoever uses this
  thread_ = std::thread([this] { run(); });
}

void SqliteStore::stop() {
  {
    const MutexLock lock(mutex_);
    stopping_ = true;
    changed_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
  past_.reset();  // the last to close the file puts its log into it
  file_.reset();
}

std::optional<core::Sequence> SqliteStore::read(core::Sequence after, core::Sequence until,
                                                const TakeEvent& take) {
  TOCSIN_ASSERT(file_ != nullptr);
  const HistoryFileOptions& options = file_->options();
  if (past_ == nullptr) {
    auto opened = PastRows::open(options.path, beginning_.epochs(), options.vfs);
    if (!opened) return std::nullopt;
    past_ = *std::move(opened);
  }
  const auto above = past_->read(after, until, take);
  if (!above) return std::nullopt;
  return *above;
}

core::StoreAnswer SqliteStore::append(std::span<const core::NewEvent> events, core::Ticket ticket,
                                      const core::PublishKey* key) {
  TOCSIN_ASSERT(!events.empty());
  Append append{.batch = core::Batch(events),
                .ticket = ticket,
                .key = key == nullptr ? std::nullopt : std::optional(*key)};
  const MutexLock lock(mutex_);
  if (refuses_ || stopping_) return {.outcome = Outcome::refused};
  appended_.push_back(std::move(append));
  if (appended_.size() == 1) changed_.notify_one();
  return {.outcome = Outcome::pending};
}

// --- the thread ---

void SqliteStore::run() {
  ::pthread_setname_np(::pthread_self(), "history");
  while (take_group()) {
    make_row();
    if (group_.empty()) {
      tell_found();
      continue;
    }
    if (const HistoryFile::Write write = commit(); write.wrote != Wrote::all) sit_out(write);
  }
}

// False: it is over. What is left then nobody waits for.
bool SqliteStore::take_group() {
  TOCSIN_ASSERT(group_.empty());
  {
    const MutexLock lock(mutex_);
    while (taken_.empty() && appended_.empty() && !stopping_) changed_.wait(mutex_);
    if (stopping_) return false;
    if (taken_.empty()) taken_.swap(appended_);
  }
  std::size_t bytes = bytes_of(taken_.front().batch);
  do {
    group_.push_back(std::move(taken_.front()));
    taken_.pop_front();
    if (!taken_.empty()) bytes += bytes_of(taken_.front().batch);
  } while (!taken_.empty() && bytes <= limits::kMaxCommit);
  return true;
}

void SqliteStore::make_row() {
  TOCSIN_ASSERT(!group_.empty());
  if (bytes_.capacity() > kKeptRow) std::string{}.swap(bytes_);
  bytes_.clear();
  std::string_view topic;
  core::Journal places = file_->journal();
  auto kept = group_.begin();
  for (Append& append : group_) {
    append.place = places.next(append.batch.events().size());
    if (append.key && !is_new(append)) continue;
    places.follow(append.place);
    append_events(bytes_, append.batch.events(), topic);
    if (&*kept != &append) *kept = std::move(append);
    ++kept;
  }
  group_.erase(kept, group_.end());
  if (group_.empty()) return;
  const core::Place& first = group_.front().place;
  row_ = {.place = {.epoch = first.epoch, .first = first.first, .last = places.last()},
          .time_ms = row_time_ms(),
          .bytes = bytes_};
}

template <typename Appends>
void SqliteStore::refuse(Appends&& appends) {
  for (const auto& append : appends) {
    client_->answered(append.ticket, {.outcome = Outcome::refused});
  }
}

// Whether the append is to be published: its key is known from now on.
bool SqliteStore::is_new(Append& append) {
  keys_.drop_old(append.key->time_ms, &gone_keys_);
  const core::KeyFinding finding = keys_.find(*append.key);
  if (finding.kind != core::KeyFinding::Kind::fresh) {
    found_.push_back({.ticket = append.ticket, .answer = core::answer_of(finding)});
    return false;
  }
  keys_.add(*append.key, append.place, &gone_keys_);
  key_rows_.push_back({.key = *append.key, .place = append.place});
  return true;
}

// What was made; and what of it is in the history is told of.
HistoryFile::Write SqliteStore::commit() {
  TOCSIN_ASSERT(!group_.empty() && row_.place.last == group_.back().place.last);
  const std::uint64_t begin_ns = now_ns();
  HistoryFile::Write write = file_->write(row_, {.known = key_rows_, .gone = gone_keys_});
  if (write.wrote != Wrote::all) return write;
  key_rows_.clear();
  gone_keys_.clear();
  floor_ = file_->floor();
  client_->counted({.batches = group_.size(),
                    .events = row_.place.events(),
                    .took_us = (now_ns() - begin_ns) / 1000,
                    .history_bytes = file_->bytes_in_use()});
  for (const Append& append : group_) {
    client_->committed(append.place, append.batch.events(), 0);
    client_->answered(append.ticket, {.outcome = Outcome::committed, .place = append.place});
  }
  group_.clear();
  tell_found();
  return write;
}

void SqliteStore::tell_found() {
  for (const Found& found : std::exchange(found_, {})) {
    client_->answered(found.ticket, found.answer);
  }
}

// The group was not published and never will be, so nobody is answered by what it was.
void SqliteStore::withdraw() {
  for (const KeyRow& row : key_rows_) keys_.remove(row.key);
  key_rows_.clear();
  refuse(std::exchange(group_, {}));
  refuse(std::exchange(found_, {}));
}

// A row could not be written. Until the store can go on, or ends.
void SqliteStore::sit_out(HistoryFile::Write failed) {
  TOCSIN_ASSERT(failed.wrote != Wrote::all);
  const bool full = failed.error.primary() == SQLITE_FULL;
  log::error("the history cannot be written: publishers are refused",
             {{"error", failed.error.text},
              {"code", failed.error.code},
              {"until", full ? fmt::format("its disk has {} MiB free",
                                           HistoryFile::kEnoughRoom / limits::kMiB)
                             : "it can be written"}});
  if (failed.wrote == Wrote::nothing) withdraw();
  refuse(std::exchange(taken_, {}));
  std::deque<Append> appended;
  {
    const MutexLock lock(mutex_);
    refuses_ = true;
    appended.swap(appended_);
  }
  refuse(appended);
  while (true) {
    if (failed.error.primary() == SQLITE_FULL) file_->give_up_reserve();
    if (!pause()) break;
    if (!group_.empty()) failed = commit();
    if (group_.empty() && file_->try_out()) {
      log::info("the history can be written again");
      const MutexLock lock(mutex_);
      refuses_ = false;
      return;
    }
  }
  group_.clear();  // nobody waits for it any more
}

// False: it is over.
bool SqliteStore::pause() {
  const auto end = std::chrono::steady_clock::now() + kPause;
  const MutexLock lock(mutex_);
  while (!stopping_ && changed_.wait_until(mutex_, end)) {}
  return !stopping_;
}

}  // namespace tocsin::net
