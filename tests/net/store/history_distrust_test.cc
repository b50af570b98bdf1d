// A file that somebody has made on purpose: no hub ends by it, runs what is in there, or gives its
// readers what no publisher could have sent.
#include <fcntl.h>
#include <sqlite3.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <random>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "net/store/batch_bytes.h"
#include "net/store/crc32c.h"
#include "net/store/history_file.h"
#include "net/store/history_reader.h"
#include "tests/net/store/sqlite_history.h"
#include "tests/net/store/store_user.h"

namespace tocsin::net {
namespace {

using core::NewEvent;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using Outcome = core::StoreAnswer::Outcome;

constexpr NewEvent kGood{.topic = "a", .id = "", .body = "data: x\n"};

class HistoryDistrustTest : public testing::Test {
 protected:
  // A history of one event, which no hub has open.
  HistoryDistrustTest() { run(1); }

  // Opens it, publishes and closes it. What was told.
  StoreUser& run(std::size_t events = 0) {
    store_ = history_.open();
    user_ = std::make_unique<StoreUser>(*store_);
    user_->start();
    for (; events > 0; --events) {
      EXPECT_EQ(user_->publish({{.topic = "a", .id = "", .body = "data: x\n"}}).outcome,
                Outcome::committed);
    }
    store_.reset();
    return *user_;
  }
  // A row of these events that ends with `last` and says that it has so many; its checksum is that
  // of all of this.
  void add(core::Sequence last, std::uint64_t count, std::vector<NewEvent> events) {
    std::string bytes;
    std::string_view topic;
    append_events(bytes, events, topic);
    const std::array<std::uint64_t, 3> head{last, count, row_time_ms()};
    const std::string_view head_bytes(reinterpret_cast<const char*>(head.data()), sizeof(head));
    auto database = Database::open(history_.options.path, Database::Access::write);
    auto insert = database->prepare("INSERT INTO batch VALUES (?, ?, ?, ?, ?)");
    ASSERT_TRUE(insert->bind(1, static_cast<std::int64_t>(last))
                    .bind(2, static_cast<std::int64_t>(count))
                    .bind(3, static_cast<std::int64_t>(head[2]))
                    .bind(4, std::int64_t{crc32c(bytes, crc32c(head_bytes))})
                    .bind(5, bytes)
                    .run());
  }
  // What somebody does whose SQLite lets him do it.
  void tamper(const char* statements) const {
    sqlite3* database = nullptr;
    ASSERT_EQ(sqlite3_open(history_.options.path.c_str(), &database), SQLITE_OK);
    EXPECT_EQ(sqlite3_exec(database, statements, nullptr, nullptr, nullptr), SQLITE_OK)
        << sqlite3_errmsg(database);
    sqlite3_close(database);
  }
  void overwrite(off_t offset, const std::vector<unsigned char>& bytes) const {
    const int fd = ::open(history_.options.path.c_str(), O_WRONLY | O_CLOEXEC);
    EXPECT_EQ(::pwrite(fd, bytes.data(), bytes.size(), offset),
              static_cast<ssize_t>(bytes.size()));
    ::close(fd);
  }
  // Why the hub and `tocsin history` do not open it.
  [[nodiscard]] std::array<std::string, 2> refusals() {
    const auto store = history_.try_open();
    const auto reader = HistoryReader::open(history_.options.path);
    return {store ? "opened" : store.error(), reader ? "opened" : reader.error()};
  }
  // What `tocsin history verify` names.
  [[nodiscard]] std::vector<std::string> faults() const {
    std::vector<std::string> found;
    auto reader = HistoryReader::open(history_.options.path);
    if (!reader) return {reader.error()};
    const auto walked = reader->walk([](const auto&, auto) {},
                                     [&](std::string_view fault) { found.emplace_back(fault); });
    if (!walked) found.push_back(walked.error().text);
    return found;
  }

  SqliteHistory history_;

 private:
  std::unique_ptr<core::Store> store_;
  std::unique_ptr<StoreUser> user_;
};

// --- rows whose checksum is right

TEST_F(HistoryDistrustTest, ARowThatAHubCouldHaveWrittenIsSound) {
  add(3, 2, {kGood, {.topic = "b", .id = "own", .body = "event: t\ndata: 1\ndata: 2\n"}});
  EXPECT_THAT(faults(), IsEmpty());
}

TEST_F(HistoryDistrustTest, AnEventThatNobodyCouldPublishIsDamage) {
  (void)run();
  const std::string long_topic(100'000, 't');
  const std::string long_id(70'000, 'i');
  for (const NewEvent& event : {NewEvent{.topic = long_topic, .id = "", .body = "data: x\n"},
                                NewEvent{.topic = "\x1b[31m", .id = "", .body = "data: x\n"},
                                NewEvent{.topic = "\xff", .id = "", .body = "data: x\n"},
                                NewEvent{.topic = "a", .id = long_id, .body = "data: x\n"},
                                NewEvent{.topic = "a", .id = "i\ndata: y", .body = "data: x\n"},
                                NewEvent{.topic = "a", .id = "earliest", .body = "data: x\n"},
                                NewEvent{.topic = "a", .id = "", .body = "data: x\n\ndata: y\n"},
                                NewEvent{.topic = "a", .id = "", .body = "data: x\rid: 1\n"},
                                NewEvent{.topic = "a", .id = "", .body = "data: x"},
                                NewEvent{.topic = "a", .id = "", .body = ""}}) {
    SCOPED_TRACE(event.id.substr(0, 20));
    add(3, 2, {kGood, event});
    EXPECT_THAT(faults(), ElementsAre("the batch that ends with event 3 is damaged"));
    EXPECT_EQ(run().beginning().last(), 3U) << "what is there is told of, and that is lost";
    EXPECT_EQ(run(1).told(), 4U) << "and it goes on behind";
    history_.change("DELETE FROM batch WHERE last > 1");
    (void)run();  // which forks
  }
}

// The epoch of the id may have begun later than the event came.
TEST_F(HistoryDistrustTest, AnIdThatIsAPositionByNowIsLeftOut) {
  const std::string id = proto::to_string({run().epochs().current(), 7});
  add(3, 2, {kGood, {.topic = "a", .id = id, .body = "data: x\n"}});
  EXPECT_THAT(faults(), IsEmpty());
  const KeptEvents kept = run().events();
  ASSERT_EQ(kept.size(), 3U);
  EXPECT_EQ(kept[2], (KeptEvent{"a", "", "data: x\n"}));
}

TEST_F(HistoryDistrustTest, NumbersThatNoRowCanHaveAreDamage) {
  for (const auto& [last, count] : std::vector<std::pair<std::uint64_t, std::uint64_t>>{
           {1ULL << 40, 1ULL << 40}, {1ULL << 40, 1ULL << 39}, {9, 11}, {9, 0}, {9, 1ULL << 63}}) {
    SqliteHistory history;
    history.open().reset();
    history_.options.path = history.options.path;
    add(last, count, {kGood});
    EXPECT_EQ(faults().size(), 1U) << last << ' ' << count;
    EXPECT_EQ(history.open()->beginning().last(), last);
  }
}

TEST_F(HistoryDistrustTest, NothingIsSaidOfARowThatCannotBe) {
  for (const char* n : {"0", "2", "-9223372036854775807"}) {
    history_.change("UPDATE batch SET n = " + std::string(n));
    EXPECT_THAT(HistoryReader::open(history_.options.path)->extent().error().text,
                HasSubstr("the batch that ends with event 1 is damaged"))
        << n;
  }
}

TEST_F(HistoryDistrustTest, ARowBelowTheFirstEventIsDamage) {
  add(static_cast<core::Sequence>(-5), 1, {kGood});
  EXPECT_THAT(faults(), ElementsAre("the batch that ends with event -5 is damaged"));
  EXPECT_EQ(run().told(), 1U);
}

TEST_F(HistoryDistrustTest, AHistoryThatHasNoRoomToGoOnIsRefused) {
  add(std::numeric_limits<std::int64_t>::max(), 1, {kGood});
  EXPECT_THAT(refusals(), testing::Each(HasSubstr("has an event that no history comes to")));
}

TEST_F(HistoryDistrustTest, ARowAcrossAForkIsDamage) {
  history_.change("UPDATE meta SET value = '7:2 ' || value WHERE key = 'epochs'");
  add(3, 2, {kGood, kGood});
  EXPECT_THAT(faults(), ElementsAre("the batch that ends with event 3 is damaged"));
  EXPECT_EQ(run(1).told(), 4U);
}

// Else its next events would have ids of an epoch that has ended.
TEST_F(HistoryDistrustTest, AnEpochThatBeginsBehindTheEventsForks) {
  history_.change("UPDATE meta SET value = '7:5 ' || value WHERE key = 'epochs'");
  const StoreUser& user = run(3);
  EXPECT_EQ(user.told(), 4U);
  ASSERT_EQ(user.epochs().older().size(), 2U);
  EXPECT_EQ(user.epochs().older().back().end, 1U);
}

TEST_F(HistoryDistrustTest, WhatCannotBeReadIsNamedAndPassedOver) {
  const std::string body = "data: " + std::string(100'000, 'x') + "\n";
  add(2, 1, {{.topic = "a", .id = "", .body = body}});
  add(3, 1, {kGood});
  EXPECT_THAT(faults(), IsEmpty());
  // The first page of the bytes, behind those of SQLite and of the three tables, says which is
  // next.
  overwrite(off_t{4} * 16'384, {0x7f, 0xff, 0xff, 0xff});
  EXPECT_THAT(faults(), ElementsAre("the batch that ends with event 2 is damaged"));
  EXPECT_EQ(run().beginning().last(), 2U);
}

TEST_F(HistoryDistrustTest, NoRowIsLargerThanACommitMayBe) {
  auto database = Database::open(history_.options.path, Database::Access::read);
  EXPECT_EQ(database->text("SELECT zeroblob(200000000)").error().primary(), SQLITE_TOOBIG);
}

// --- what is not rows

TEST_F(HistoryDistrustTest, AnotherSchemaIsRefused) {
  for (const char* statements :
       {"CREATE TABLE other(a)", "CREATE INDEX i ON batch(n)", "CREATE VIEW v AS SELECT 1",
        "CREATE TRIGGER t AFTER INSERT ON batch BEGIN DELETE FROM batch; END", "DROP TABLE batch",
        "ALTER TABLE batch ADD COLUMN x", "ALTER TABLE meta RENAME TO batches",
        "DROP TABLE batch; CREATE TABLE batch(last, n, time_ms, crc, bytes)",
        "DROP TABLE batch; CREATE VIEW batch AS WITH RECURSIVE c(last) AS (SELECT 1 UNION ALL "
        "SELECT last + 1 FROM c) SELECT last, 1 AS n, 1 AS time_ms, 1 AS crc, x'00' AS bytes "
        "FROM c"}) {
    SqliteHistory history;
    history.open().reset();
    history_.options.path = history.options.path;
    tamper(statements);
    EXPECT_THAT(refusals(),
                testing::Each(HasSubstr("has other tables, views or triggers than a history")))
        << statements;
  }
}

TEST_F(HistoryDistrustTest, ATableWithThePagesOfAnotherIsRefused) {
  tamper("PRAGMA writable_schema = ON; UPDATE sqlite_master SET rootpage = "
         "(SELECT rootpage FROM sqlite_master WHERE name = 'meta') WHERE name = 'batch'");
  EXPECT_THAT(refusals(), testing::Each(HasSubstr("has other tables")));
}

// A person's sqlite3 may change the file while a hub has it open.
TEST_F(HistoryDistrustTest, ATriggerThatComesLaterDoesNotWork) {
  auto store = history_.open();
  StoreUser user(*store);
  user.start();
  tamper("CREATE TRIGGER t AFTER INSERT ON batch BEGIN DELETE FROM batch; END");
  EXPECT_EQ(user.publish({{.topic = "a", .id = "", .body = "data: x\n"}}).outcome,
            Outcome::committed);
  EXPECT_EQ(history_.number("SELECT count(*) FROM batch"), 2);
}

TEST_F(HistoryDistrustTest, AHeaderThatCannotBeIsRefused) {
  overwrite(36, {0x7f, 0xff, 0xff, 0xff});  // free pages (SQLite's file format, 1.3)
  EXPECT_THAT(refusals()[0], HasSubstr("more pages are free than there are"));
  auto reader = HistoryReader::open(history_.options.path);
  EXPECT_THAT(reader->extent().error().text, HasSubstr("more pages are free than there are"));
}

// Bytes anywhere: it is refused or found, and what is told of is all there is behind its beginning.
TEST_F(HistoryDistrustTest, AnyDamageIsRefusedOrFound) {
  std::mt19937_64 random(test_seed());
  // Rows on several pages, and some that have pages of their own.
  const std::string large = "data: " + std::string(40'000, 'x') + "\n";
  const std::string small = "data: " + std::string(2000, 'x') + "\n";
  for (core::Sequence last = 2; last < 62; ++last) {
    add(last, 1, {{.topic = "a", .id = "", .body = last % 20 == 0 ? large : small}});
  }
  history_.options.reserve_bytes = 0;
  history_.options.sync = HistorySync::off;
  const std::filesystem::path whole = history_.beside(".whole");
  std::filesystem::copy_file(history_.options.path, whole);
  const auto pages = std::filesystem::file_size(whole) / 16'384;
  for (int round = 0; round < 200; ++round) {
    std::filesystem::remove(history_.options.path);
    std::filesystem::copy_file(whole, history_.options.path);
    for (auto n = 1 + random() % 8; n > 0; --n) {
      // Headers and the cells' places are at the front of a page, the newest cells at the front of
      // the rest.
      const auto at = random() % 4 == 0 ? random() % 16'384 : random() % 200;
      overwrite(static_cast<off_t>(random() % pages * 16'384 + at),
                {static_cast<unsigned char>(random())});
    }
    (void)faults();
    const auto opened = HistoryFile::open(history_.options);
    if (!opened) continue;
    HistoryFile& file = **opened;
    core::Sequence told = file.beginning();
    const auto read = file.read([&](const HistoryRow& row, std::span<const NewEvent> events) {
      EXPECT_EQ(row.place.first, told + 1);
      EXPECT_EQ(events.size(), row.place.events());
      told = row.place.last;
    });
    EXPECT_TRUE(read) << read.error().text;
    EXPECT_EQ(told, file.journal().last());
    std::string bytes;
    std::string_view topic;
    append_events(bytes, {&kGood, 1}, topic);
    (void)file.write(
        {.place = file.journal().next(1), .time_ms = row_time_ms(), .bytes = bytes});
  }
}

}  // namespace
}  // namespace tocsin::net
