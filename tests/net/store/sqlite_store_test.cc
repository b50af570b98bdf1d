// A SQLite history whose process dies, whose machine loses its power, whose disk fails or fills up.
#include "net/store/sqlite_store.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "tests/net/store/sqlite_history.h"
#include "tests/net/store/store_user.h"

namespace tocsin::net {
namespace {

namespace fs = std::filesystem;
using Outcome = core::StoreAnswer::Outcome;

class SqliteStoreTest : public testing::Test {
 protected:
  // Opens the history and notes what it has.
  StoreUser& open() {
    close();
    store_ = history_.open();
    user_ = std::make_unique<StoreUser>(*store_);
    user_->start();
    given_.clear();
    return *user_;
  }
  void close() { store_.reset(); }
  [[nodiscard]] core::Sequence floor() const { return store_->floor(); }
  // What one read gives.
  struct Read {
    core::Sequence above = 0;
    std::size_t events = 0;
    bool operator==(const Read&) const = default;
  };
  Read read(core::Sequence after, core::Sequence until) {
    Read read;
    read.above = store_
                     ->read(after, until,
                            [&](proto::EventId, const core::NewEvent&) {
                              ++read.events;
                              return true;
                            })
                     .value();
    return read;
  }
  // A batch that no other one is like.
  core::Ticket append(std::size_t events = 1, std::size_t size = 100) {
    const std::string body =
        "data: " + std::to_string(++batches_) + ' ' + std::string(size, 'x') + '\n';
    KeptEvents batch(events, {.topic = "a", .id = "", .body = body});
    const core::Ticket ticket = user_->append(batch);
    given_[ticket] = std::move(batch);
    return ticket;
  }
  Outcome publish(std::size_t events = 1, std::size_t size = 100) {
    return user_->wait_answer(append(events, size)).outcome;
  }
  // Until one is refused at once.
  void wait_refusal() {
    EXPECT_TRUE(eventually([&] {
      const auto ticket = append();
      const auto answers = user_->answers();
      const auto answer = answers.find(ticket);
      return answer != answers.end() && answer->second.outcome == Outcome::refused;
    }));
  }
  // Until one is taken again.
  Outcome publish_again() {
    Outcome outcome = Outcome::refused;
    EXPECT_TRUE(eventually([&] { return (outcome = publish()) != Outcome::refused; }));
    return outcome;
  }
  // Opens it again. What was acknowledged is where it was said to be, what was refused is nowhere,
  // of the rest each batch is there as a whole or not at all, and nothing is there twice.
  // Acknowledged batches that are missing are counted.
  std::size_t judge() {
    close();  // the answers that it gives then
    const auto before = std::move(user_);
    const auto given = std::move(given_);
    const StoreUser& now = open();
    std::map<std::string, std::size_t> times;
    for (const KeptEvent& event : now.events()) ++times[event.body];
    std::size_t missing = 0;
    const auto answers = before->answers();
    for (const auto& [ticket, batch] : given) {
      const auto found = times.find(batch.front().body);
      const std::size_t there = found == times.end() ? 0 : found->second;
      const auto answer = answers.find(ticket);
      if (answer == answers.end()) {
        EXPECT_TRUE(there == 0 || there == batch.size());
      } else if (answer->second.outcome == Outcome::refused) {
        EXPECT_EQ(there, 0U);
      } else if (there == 0) {
        ++missing;
      } else {
        EXPECT_EQ(there, batch.size());
        EXPECT_EQ(now.events_at(answer->second.place), batch);
      }
    }
    forked_ = now.epochs() != before->epochs();
    return missing;
  }
  [[nodiscard]] bool forked() const { return forked_; }

  // Publishes until the process dies somewhere in there.
  void publish_and_die() {
    history_.vfs.kill_behind(random_() % 100);
    for (int i = 0; i < 40; ++i) (void)append(1 + random_() % 5, random_() % 20'000);
    ASSERT_TRUE(eventually(
        [&] { return history_.vfs.is_dead() || user_->answers().size() == given_.size(); }));
    history_.vfs.kill();
  }

  SqliteHistory history_;
  std::mt19937_64 random_{test_seed()};

 private:
  std::unique_ptr<StoreUser> user_;  // outlives the store, which tells it things until it ends
  std::unique_ptr<core::Store> store_;
  std::map<core::Ticket, KeptEvents> given_;
  int batches_ = 0;
  bool forked_ = false;
};

// --- the end

TEST_F(SqliteStoreTest, AProcessMayDieAnywhere) {
  open();
  for (int round = 0; round < 40; ++round) {
    publish_and_die();
    ASSERT_EQ(judge(), 0U) << round;
    ASSERT_FALSE(forked()) << round;
  }
}

TEST_F(SqliteStoreTest, AMachineMayLoseItsPowerAnywhere) {
  open();
  for (int round = 0; round < 40; ++round) {
    publish_and_die();
    close();
    history_.vfs.lose_power(random_);
    ASSERT_EQ(judge(), 0U) << round;
    ASSERT_FALSE(forked()) << round;
  }
}

// The same without a sync of each commit: so what the test above would find is there to be found,
// and readers are told of it.
TEST_F(SqliteStoreTest, WithoutASyncAMachineLosesEventsAndTheHistoryForks) {
  history_.options.sync = HistorySync::normal;
  std::size_t lost = 0;
  open();
  // On a busy machine many a process dies before anything was acknowledged.
  for (int round = 0; round < 40 || (lost == 0 && round < 4000); ++round) {
    publish_and_die();
    close();
    history_.vfs.lose_power(random_);
    const std::size_t missing = judge();
    ASSERT_TRUE(missing == 0 || forked()) << round;
    lost += missing;
  }
  EXPECT_GT(lost, 0U);
}

// --- one commit for all that has gathered

TEST_F(SqliteStoreTest, WhatComesDuringACommitIsTheNextOne) {
  StoreUser& user = open();
  history_.vfs.hold_syncs(true);
  (void)append();
  history_.vfs.wait_held();
  for (int i = 0; i < 20; ++i) (void)append();  // which waits for no disk
  EXPECT_TRUE(user.answers().empty());
  history_.vfs.hold_syncs(false);
  user.wait_told(21);
  EXPECT_EQ(history_.number("SELECT count(*) FROM batch"), 2);
  EXPECT_EQ(judge(), 0U);
}

TEST_F(SqliteStoreTest, PlacesAreGivenInTheOrderOfTheAppends) {
  StoreUser& user = open();
  for (int i = 0; i < 200; ++i) (void)append();
  user.wait_told(200);
  for (const auto& [ticket, answer] : user.answers()) EXPECT_EQ(answer.place.last, ticket);
}

TEST_F(SqliteStoreTest, ACommitHasABound) {
  StoreUser& user = open();
  history_.vfs.hold_syncs(true);
  (void)append();
  history_.vfs.wait_held();
  for (int i = 0; i < 5; ++i) (void)append(1, limits::kMaxCommit * 2 / 5);
  history_.vfs.hold_syncs(false);
  user.wait_told(6);
  EXPECT_EQ(history_.number("SELECT count(*) FROM batch"), 4);
}

// --- a disk that fails

TEST_F(SqliteStoreTest, WhatCannotBeWrittenIsRefusedUntilItCan) {
  for (const int code : {SQLITE_FULL, SQLITE_READONLY}) {
    open();
    EXPECT_EQ(publish(), Outcome::committed);
    history_.vfs.fail_writes(code);
    (void)append();
    if (code == SQLITE_FULL) {
      EXPECT_EQ(publish(), Outcome::refused);
    }
    history_.vfs.fail_writes(0);
    EXPECT_EQ(publish_again(), Outcome::committed);
    EXPECT_EQ(judge(), 0U);
    EXPECT_FALSE(forked());
  }
}

// It may be there, so it is neither refused nor forgotten: nothing else may have its place.
TEST_F(SqliteStoreTest, WhatMayBeWrittenIsWrittenAgain) {
  for (const int code : {SQLITE_IOERR_FSYNC, SQLITE_FULL}) {
    StoreUser& user = open();
    const core::Sequence before = user.told();
    history_.vfs.fail_syncs(code == SQLITE_FULL ? 0 : code);
    if (code == SQLITE_FULL) history_.vfs.fail_writes(SQLITE_IOERR_WRITE);
    const core::Ticket first = append();
    wait_refusal();
    EXPECT_FALSE(user.answers().contains(first));
    history_.vfs.fail_syncs(0);
    history_.vfs.fail_writes(0);
    const core::StoreAnswer answer = user.wait_answer(first);
    EXPECT_EQ(answer.outcome, Outcome::committed);
    EXPECT_EQ(answer.place.first, before + 1);
    EXPECT_EQ(publish_again(), Outcome::committed);
    EXPECT_EQ(judge(), 0U);
    EXPECT_FALSE(forked());
  }
}

TEST_F(SqliteStoreTest, AProcessMayDieWhileItsDiskFails) {
  open();
  for (int round = 0; round < 6; ++round) {
    EXPECT_EQ(publish(), Outcome::committed);
    (round % 2 == 0 ? history_.vfs.fail_syncs(SQLITE_IOERR_FSYNC)
                    : history_.vfs.fail_writes(SQLITE_IOERR_WRITE));
    (void)append(3);
    wait_refusal();
    history_.vfs.kill();
    close();
    history_.vfs.fail_syncs(0);
    history_.vfs.fail_writes(0);
    EXPECT_EQ(judge(), 0U);
    EXPECT_FALSE(forked());
  }
}

TEST_F(SqliteStoreTest, AFullDiskTakesTheReserveAndGivesItBack) {
  open();
  const fs::path reserve = history_.beside(".reserve");
  ASSERT_TRUE(fs::exists(reserve));
  history_.vfs.fail_writes(SQLITE_FULL);
  EXPECT_EQ(publish(), Outcome::refused);
  EXPECT_TRUE(eventually([&] { return !fs::exists(reserve); }));
  history_.vfs.fail_writes(0);
  EXPECT_EQ(publish_again(), Outcome::committed);
  EXPECT_EQ(fs::file_size(reserve), history_.options.reserve_bytes);
}

// --- what is read again is damaged

TEST_F(SqliteStoreTest, ABatchThatIsNotSoundIsAHole) {
  StoreUser& user = open();
  for (const std::size_t size : {3U, 2U, 4U}) ASSERT_EQ(publish(size), Outcome::committed);
  user.wait_told(9);
  for (const char* what : {"crc = crc + 1", "bytes = x'00'", "n = 3"}) {
    history_.change(std::string("CREATE TABLE before AS SELECT * FROM batch; UPDATE batch SET ") +
                    what + " WHERE last = 5");
    EXPECT_EQ(read(0, 9), (Read{.above = 0, .events = 3})) << what;
    EXPECT_EQ(read(3, 9), (Read{.above = 5, .events = 4})) << what;
    EXPECT_EQ(read(4, 8), (Read{.above = 5, .events = 3})) << what;
    EXPECT_EQ(read(3, 5), (Read{.above = 5, .events = 0})) << what;
    history_.change("DELETE FROM batch; INSERT INTO batch SELECT * FROM before; DROP TABLE before");
    EXPECT_EQ(read(0, 9), (Read{.above = 0, .events = 9}));
  }
}

// --- a file that is full

TEST_F(SqliteStoreTest, TheOldestGoAsNewOnesCome) {
  history_.options.max_bytes = 4 * limits::kMiB;
  StoreUser& user = open();
  for (int i = 0; i < 400; ++i) ASSERT_EQ(publish(1, 100'000), Outcome::committed);
  EXPECT_EQ(user.told(), 400U);
  EXPECT_LT(fs::file_size(history_.options.path), history_.options.max_bytes / 4 * 5);
  EXPECT_GT(history_.number("SELECT sum(length(bytes)) FROM batch"), 3'000'000);
  EXPECT_EQ(history_.number("SELECT max(last) - min(last) + 1 - count(*) FROM batch"), 0);
  const auto oldest = static_cast<core::Sequence>(history_.number("SELECT min(last) FROM batch"));
  EXPECT_EQ(floor(), oldest - 1);
  EXPECT_EQ(read(0, 400), (Read{.above = oldest - 1, .events = 401 - oldest}));
  const StoreUser& next = open();
  EXPECT_EQ(next.told(), 400U);
  EXPECT_EQ(next.epochs().size(), 1U);
}

// Many rows of one small event go for one that is large.
TEST_F(SqliteStoreTest, ALargeBatchHasRoomAmongSmallOnes) {
  history_.options.max_bytes = 4 * limits::kMiB;
  history_.options.sync = HistorySync::off;
  open();
  for (int i = 0; i < 2000; ++i) ASSERT_EQ(publish(1, 2000), Outcome::committed);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(publish(1, 3'500'000), Outcome::committed);
  EXPECT_EQ(publish(), Outcome::committed);
}

TEST_F(SqliteStoreTest, ALargerFileThanIsWantedShrinksWithinItself) {
  open();
  for (int i = 0; i < 100; ++i) ASSERT_EQ(publish(1, 100'000), Outcome::committed);
  history_.options.max_bytes = 2 * limits::kMiB;
  open();
  for (int i = 0; i < 100; ++i) ASSERT_EQ(publish(1, 100'000), Outcome::committed);
  EXPECT_LT(history_.number("SELECT sum(length(bytes)) FROM batch"), 2'000'000);
}

}  // namespace
}  // namespace tocsin::net
