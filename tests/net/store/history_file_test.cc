// Which files are opened, what is found missing or damaged there, and where a history forks.
#include "net/store/history_file.h"

#include <fcntl.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/publish/published_keys.h"
#include "net/base/locked_file.h"
#include "net/store/witness.h"
#include "proto/limits.h"
#include "tests/net/store/sqlite_history.h"
#include "tests/net/store/store_user.h"
#include "tests/net/support/test_client.h"

namespace tocsin::net {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using Outcome = core::StoreAnswer::Outcome;

class HistoryFileTest : public testing::Test {
 protected:
  // Opens it, publishes batches of `sizes`, each a commit, and closes it. What the user was told.
  StoreUser& run(const std::vector<std::size_t>& sizes = {}) {
    store_ = history_.open();
    user_ = std::make_unique<StoreUser>(*store_);
    user_->start();
    for (const std::size_t size : sizes) {
      EXPECT_EQ(user_->publish(events(size)).outcome, Outcome::committed);
    }
    store_.reset();
    return *user_;
  }
  KeptEvents events(std::size_t count) {
    KeptEvents events(count);
    for (KeptEvent& event : events) {
      event = {.topic = "a", .id = "", .body = "data: " + std::to_string(++events_) + "\n"};
    }
    return events;
  }
  [[nodiscard]] std::string refusal() {
    auto store = history_.try_open();
    return store ? "opened" : store.error();
  }
  // The history goes on behind its first `end` events, in a new epoch.
  void expect_fork(core::Sequence end) {
    const StoreUser& user = run();
    EXPECT_EQ(user.told(), end);
    ASSERT_EQ(user.epochs().older().size(), 1U);
    EXPECT_EQ(user.epochs().older().front().end, end);
    EXPECT_EQ(run().epochs(), user.epochs()) << "once";
  }

  SqliteHistory history_;
  const std::string path_ = history_.options.path;

 private:
  std::unique_ptr<StoreUser> user_;  // outlives the store, which tells it things until it ends
  std::unique_ptr<core::Store> store_;
  std::size_t events_ = 0;
};

// --- which files are opened

TEST_F(HistoryFileTest, AFileIsMadeWhereThereIsNone) {
  run({1});
  EXPECT_FALSE(fs::exists(history_.beside("-wal"))) << "a clean end leaves one file";
  EXPECT_EQ(history_.number("PRAGMA page_size"), 16'384);
  EXPECT_EQ(history_.number("PRAGMA application_id"), 0x746f6373);
  EXPECT_EQ(history_.number("PRAGMA user_version"), 2);
  EXPECT_EQ(fs::file_size(history_.beside(".reserve")), history_.options.reserve_bytes);
  for (const char* end : {"", ".lock", ".reserve"}) {
    EXPECT_EQ(fs::status(history_.beside(end)).permissions() & ~fs::perms::owner_all,
              fs::perms::none) << end;
  }
}

TEST_F(HistoryFileTest, AnEmptyFileIsAHistoryThatBegins) {
  std::ofstream(path_).close();
  EXPECT_EQ(run({1}).told(), 1U);
}

TEST_F(HistoryFileTest, AnotherHubHasIt) {
  auto store = history_.open();
  EXPECT_THAT(refusal(), HasSubstr("another hub has this history open"));
  EXPECT_THAT(refusal(), HasSubstr("process " + std::to_string(::getpid())));
  store.reset();
  EXPECT_EQ(refusal(), "opened");
}

// Two folders have two locks beside one file: a container has it by another name.
TEST_F(HistoryFileTest, AnotherHubHasItByAnotherName) {
  auto store = history_.open();
  const fs::path other = history_.folder / "other";
  fs::create_directory(other);
  fs::rename(path_, other / "history.db");
  history_.options.path = other / "history.db";
  EXPECT_THAT(refusal(), HasSubstr("another hub has this history open, by another name"));
  store.reset();
  EXPECT_EQ(refusal(), "opened");
}

TEST_F(HistoryFileTest, AnotherKindOfFileIsRefusedAndStays) {
  const std::string text(1000, 'x');
  std::ofstream(path_) << text;
  EXPECT_THAT(refusal(), HasSubstr("is another kind of file"));
  std::string now;
  std::getline(std::ifstream(path_), now);
  EXPECT_EQ(now, text);
}

TEST_F(HistoryFileTest, AnotherProgramsDatabaseIsRefused) {
  {
    auto database = Database::open(path_, Database::Access::create);
    ASSERT_TRUE(database && database->run("CREATE TABLE batch(a)"));
  }
  EXPECT_THAT(refusal(), HasSubstr("is the database of another program"));
}

// Version 1 had no keys.
TEST_F(HistoryFileTest, AnEarlierVersionsFileIsMigrated) {
  const core::Epochs epochs = run({3}).epochs();
  history_.change("DROP TABLE producer; PRAGMA user_version = 1");
  EXPECT_EQ(run({2}).epochs(), epochs);
  EXPECT_EQ(history_.number("PRAGMA user_version"), 2);
  EXPECT_EQ(history_.number("SELECT count(*) FROM producer"), 0);
}

// --- keys (core/publish/published_keys.h)

// As many rows as keys are known, and a row that has changed is none.
TEST_F(HistoryFileTest, ARowOfAKeyIsThereAsLongAsItIsKnown) {
  const auto publish = [&](StoreUser& user, std::uint64_t number, std::uint64_t time_ms = 1000) {
    const core::PublishKey key{.number = number, .content = ~0ULL, .time_ms = time_ms};
    return user.publish(events(1), key).outcome;
  };
  const auto with_user = [&](const auto& use) {
    auto store = history_.open();
    StoreUser user(*store);
    user.start();
    use(user);
    store->stop();
  };
  constexpr std::uint64_t kMost = 2 * limits::kKeptNumbers;
  with_user([&](StoreUser& user) {
    for (std::uint64_t n = 1; n <= kMost; ++n) EXPECT_EQ(publish(user, n), Outcome::committed);
  });
  EXPECT_EQ(history_.number("SELECT count(*) FROM producer"), limits::kKeptNumbers);
  const std::string newest = std::to_string(kMost);
  history_.change("UPDATE producer SET n = n + 1 WHERE number = " + newest);
  with_user([&](StoreUser& user) {
    EXPECT_EQ(publish(user, kMost - 1), Outcome::repeated);
    EXPECT_EQ(publish(user, kMost), Outcome::committed) << "the row was damaged";
    EXPECT_EQ(publish(user, kMost + 1, 2000 + core::kPublishKeyMs), Outcome::hole)
        << "all others are too old";
    EXPECT_EQ(publish(user, 0, 2000 + core::kPublishKeyMs), Outcome::committed);
  });
  EXPECT_EQ(history_.number("SELECT count(*) FROM producer WHERE number > 0"), 1) << newest;
  EXPECT_EQ(history_.number("SELECT count(*) FROM producer WHERE number = 0"), 1);
}

TEST_F(HistoryFileTest, ALaterVersionsFileIsRefused) {
  run({1});
  history_.change("PRAGMA user_version = 3");
  EXPECT_THAT(refusal(), HasSubstr("is of a later version of tocsin (schema 3, known up to 2)"));
}

TEST_F(HistoryFileTest, WhatCannotBeWrittenIsRefused) {
  EXPECT_THAT((history_.options.path = history_.folder / "no" / "file", refusal()),
              HasSubstr("No such file or directory"));
}

TEST_F(HistoryFileTest, ADamagedFileIsRefused) {
  run({1});
  std::fstream(path_, std::ios::in | std::ios::out).seekp(100).write("damaged", 7);
  EXPECT_THAT(refusal(), HasSubstr("malformed"));
}

// --- where it forks

TEST_F(HistoryFileTest, ARestartIsNoFork) {
  const core::Epochs epochs = run({3, 2}).epochs();
  EXPECT_EQ(epochs.size(), 1U);
  EXPECT_EQ(run({4}).epochs(), epochs);
  EXPECT_EQ(run().told(), 9U);
}

TEST_F(HistoryFileTest, ABackupThatIsPutBackForks) {
  run({3});
  fs::copy_file(path_, history_.beside(".backup"));
  run({2});
  std::ofstream(path_, std::ios::binary) << std::ifstream(history_.beside(".backup")).rdbuf();
  expect_fork(3);
}

// All of its files, so that the witness and the file are of one moment.
TEST_F(HistoryFileTest, ABackupOfAllFilesThatIsPutBackForks) {
  const auto copy = [&](const fs::path& from, const fs::path& to) {
    for (const char* end : {"", ".lock"}) {
      // Onto the same inode.
      std::ofstream(to.string() + end, std::ios::binary)
          << std::ifstream(from.string() + end, std::ios::binary).rdbuf();
    }
  };
  run({3});
  const std::uint64_t closed_ns = Witness::take(history_.beside(".lock"))->before()->changed_ns;
  copy(path_, history_.beside(".backup"));
  run({2});
  EXPECT_TRUE(eventually([&] {  // the clock of files is a coarse one
    copy(history_.beside(".backup"), path_);
    return LockedFile::open(path_, O_RDONLY)->changed_ns() != closed_ns;
  }));
  expect_fork(3);
}

// Who looks at it, or copies it, changes nothing.
TEST_F(HistoryFileTest, WhoOnlyReadsItDoesNotMakeItFork) {
  const core::Epochs epochs = run({3}).epochs();
  EXPECT_EQ(history_.number("SELECT count(*) FROM batch"), 1);
  (void)Database::open(path_, Database::Access::write)->number("SELECT last FROM batch");
  fs::copy_file(path_, history_.beside(".copy"));
  EXPECT_EQ(run().epochs(), epochs);
}

// Versions before said nothing of when it changed.
TEST_F(HistoryFileTest, AnEarlierVersionsWitnessIsBelieved) {
  const core::Epochs epochs = run({3}).epochs();
  fs::resize_file(history_.beside(".lock"), 80);
  fs::permissions(path_, fs::perms::owner_read | fs::perms::owner_write);
  EXPECT_EQ(run().epochs(), epochs);
}

TEST_F(HistoryFileTest, ACopyForks) {
  run({3});
  fs::copy_file(path_, history_.beside(".copy"));
  fs::rename(history_.beside(".copy"), path_);
  expect_fork(3);
}

TEST_F(HistoryFileTest, AFileWithoutItsWitnessForks) {
  run({3});
  fs::remove(history_.beside(".lock"));
  expect_fork(3);
}

TEST_F(HistoryFileTest, AWitnessThatIsDamagedIsNone) {
  run({3});
  std::fstream(history_.beside(".lock"), std::ios::in | std::ios::out).seekp(20).write("x", 1);
  expect_fork(3);
}

// The WAL goes with the file. Without it a good file is left, which is older.
TEST_F(HistoryFileTest, AFileWithoutItsWalForks) {
  run({3});
  auto store = history_.open();
  StoreUser user(*store);
  user.start();
  (void)user.publish(events(2));
  history_.vfs.kill();
  store.reset();
  fs::remove(history_.beside("-wal"));
  fs::remove(history_.beside("-shm"));
  expect_fork(3);
}

// SQLite ends the WAL there, and says nothing.
TEST_F(HistoryFileTest, RotInTheWalForks) {
  run({3});
  auto store = history_.open();
  StoreUser user(*store);
  user.start();
  for (int i = 0; i < 3; ++i) (void)user.publish(events(2));
  history_.vfs.kill();
  store.reset();
  const fs::path wal = history_.beside("-wal");
  const auto middle = static_cast<std::streamoff>(fs::file_size(wal) / 2);
  std::fstream(wal, std::ios::in | std::ios::out | std::ios::binary).seekp(middle).write("rot", 3);
  const StoreUser& now = run();
  EXPECT_LT(now.told(), 9U);
  ASSERT_EQ(now.epochs().older().size(), 1U);
  EXPECT_EQ(now.epochs().older().front().end, now.told());
}

// What each `sync` promises when the machine dies.
TEST_F(HistoryFileTest, AMachineThatDiedForksWhatWasNotSynced) {
  for (const HistorySync sync : {HistorySync::full, HistorySync::normal, HistorySync::off}) {
    for (const bool closed : {true, false}) {
      for (const bool same_boot : {true, false}) {
        SqliteHistory history;
        history.options.sync = sync;
        std::optional<core::Epochs> before;
        {
          auto store = history.open();
          before = store->beginning().epochs();
          StoreUser user(*store);
          user.start();
          EXPECT_EQ(user.publish(events(1)).outcome, Outcome::committed);
          if (!closed) history.vfs.kill();
        }
        if (!same_boot) {
          auto witness = Witness::take(history.beside(".lock"));
          Testimony said = witness->before().value();
          EXPECT_EQ(said.closed, closed);
          said.boot = "another";
          EXPECT_TRUE(witness->testify(said));
        }
        const bool forks = sync != HistorySync::full && !closed && !same_boot;
        EXPECT_EQ(history.open()->beginning().epochs() != *before, forks)
            << static_cast<int>(sync) << closed << same_boot;
      }
    }
  }
}

// --- what is damaged inside

TEST_F(HistoryFileTest, RotInABatchIsFound) {
  run({3, 2, 4});
  history_.change("UPDATE batch SET bytes = CAST(replace(bytes, 'data', 'date') AS BLOB) "
                  "WHERE last = 5");
  const StoreUser& user = run();
  EXPECT_EQ(user.beginning().last(), 5U) << "what is behind it is there";
  EXPECT_EQ(user.told(), 9U);
  EXPECT_EQ(user.epochs().size(), 1U) << "ids go on as they were";
  EXPECT_EQ(run({1}).told(), 10U);
}

TEST_F(HistoryFileTest, AHoleIsFound) {
  run({3, 2, 4});
  history_.change("DELETE FROM batch WHERE last = 5");
  EXPECT_EQ(run().beginning().last(), 5U);
}

TEST_F(HistoryFileTest, OtherNumbersAreFound) {
  for (const char* what : {"n = 3", "time_ms = 1", "crc = 1", "bytes = x''", "n = 0", "n = -1"}) {
    SqliteHistory history;
    {
      auto store = history.open();
      StoreUser user(*store);
      user.start();
      for (const std::size_t size : {3U, 2U}) (void)user.publish(events(size));
    }
    history.change(std::string("UPDATE batch SET ") + what + " WHERE last = 5");
    EXPECT_EQ(history.open()->beginning().last(), 5U) << what;
  }
}

// --- bounds

TEST_F(HistoryFileTest, TheStartTellsOfWhatMemoryTakes) {
  run(std::vector<std::size_t>(20, 10));
  history_.options.load_bytes = 1000;
  const StoreUser& user = run();
  EXPECT_EQ(user.told(), 200U);
  EXPECT_GT(user.beginning().last(), 100U);
  EXPECT_LT(user.beginning().last(), 200U);
  EXPECT_EQ(user.events().size(), 200U - user.beginning().last());
}

TEST_F(HistoryFileTest, WhatIsTooOldIsNotToldOfAndGoes) {
  run({1, 1, 1});
  // As if they had been written an hour ago: the file is judged by its rows.
  for (int last = 1; last <= 2; ++last) {
    auto database = Database::open(path_, Database::Access::write);
    auto row = database->prepare("SELECT last, n, time_ms, crc, bytes FROM batch WHERE last = ?");
    row->bind(1, last);
    ASSERT_TRUE(row->step().value());
    auto old = row_at(*row, core::Epochs(1)).value();
    const std::string bytes(old.bytes);
    old.time_ms -= 3'600'000;
    old.bytes = bytes;
    auto changed = database->prepare("UPDATE batch SET time_ms = ?, crc = ? WHERE last = ?");
    row->reset();
    changed->bind(1, static_cast<std::int64_t>(old.time_ms))
        .bind(2, checksum_of(old))
        .bind(3, last);
    ASSERT_TRUE(changed->run());
  }
  history_.options.load_age_ms = 600'000;
  EXPECT_EQ(run().beginning().last(), 2U);
  history_.options.load_age_ms = 0;
  EXPECT_EQ(run().beginning().last(), 0U);
  history_.options.max_age_ms = 600'000;
  EXPECT_EQ(run({1}).told(), 4U);
  EXPECT_EQ(history_.number("SELECT min(last) FROM batch"), 3);
}

}  // namespace
}  // namespace tocsin::net
