// A file of which pages are damaged: what is on them is left out and told of, and nothing else.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "net/store/history_reader.h"
#include "tests/net/store/sqlite_history.h"
#include "tests/net/store/store_user.h"

namespace tocsin::net {
namespace {

using testing::Contains;
using testing::HasSubstr;

class HistoryDamageTest : public testing::Test {
 protected:
  static constexpr core::Sequence kEvents = 600;
  static constexpr std::size_t kPage = 16'384;

  // Some five events a page, of which memory takes few.
  HistoryDamageTest() {
    history_.options.sync = HistorySync::off;
    auto store = history_.open();
    StoreUser user(*store);
    user.start();
    for (core::Sequence n = 1; n <= kEvents; ++n) {
      (void)user.publish({{.topic = "a", .id = "", .body = body_of(n)}});
    }
    store.reset();
    history_.options.load_bytes = 20'000;
  }
  static std::string body_of(core::Sequence n) {
    return "data: " + std::to_string(n) + ' ' + std::string(3000, 'x') + "\n";
  }
  // The page that has the event becomes zeros. Returns the events that are lost with it.
  std::vector<core::Sequence> zero_page_of(core::Sequence event) {
    const std::string file = content();
    const std::size_t page = file.find(body_of(event).substr(0, 20)) / kPage * kPage;
    std::vector<core::Sequence> lost;
    for (core::Sequence n = 1; n <= kEvents; ++n) {
      if (file.find(body_of(n).substr(0, 20)) / kPage * kPage == page) lost.push_back(n);
    }
    write_zeros(page);
    return lost;
  }
  void write_zeros(std::size_t offset) const {
    const std::string zeros(kPage, '\0');
    const int fd = ::open(history_.options.path.c_str(), O_WRONLY | O_CLOEXEC);
    EXPECT_EQ(::pwrite(fd, zeros.data(), kPage, static_cast<off_t>(offset)),
              static_cast<ssize_t>(kPage));
    ::close(fd);
  }
  [[nodiscard]] std::string content() const {
    std::string bytes(std::filesystem::file_size(history_.options.path), '\0');
    const int fd = ::open(history_.options.path.c_str(), O_RDONLY | O_CLOEXEC);
    EXPECT_EQ(::read(fd, bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
    ::close(fd);
    return bytes;
  }
  // What a reader gets that comes back behind an event, until it has all up to `until`. Each hole
  // is told: the next event is behind what read() returned.
  [[nodiscard]] static std::vector<core::Sequence> read_all(core::Store& store,
                                                            core::Sequence after,
                                                            core::Sequence until) {
    std::vector<core::Sequence> seen;
    while (after < until) {
      const core::Sequence before = after;
      std::optional<core::Sequence> first;
      const auto above = store.read(after, until, [&](proto::EventId id, const core::NewEvent&) {
        if (!first) first = id.sequence;
        seen.push_back(id.sequence);
        after = id.sequence;
        return true;
      });
      if (!above) {
        ADD_FAILURE() << "cannot be read behind " << after;
        break;
      }
      EXPECT_EQ(*above, first ? *first - 1 : *above);
      after = std::max(after, *above);
      EXPECT_GT(after, before);
      if (after == before) break;
    }
    return seen;
  }
  // All but these.
  static std::vector<core::Sequence> all_but(const std::vector<core::Sequence>& lost,
                                             core::Sequence after, core::Sequence until) {
    std::vector<core::Sequence> all;
    for (core::Sequence n = after + 1; n <= until; ++n) {
      if (std::ranges::find(lost, n) == lost.end()) all.push_back(n);
    }
    return all;
  }
  // Opens it, and reads all that it has behind the events.
  void expect_read(const std::vector<core::Sequence>& lost) {
    auto store = history_.open();
    StoreUser user(*store);
    user.start();
    const core::Sequence until = store->beginning().last();
    EXPECT_GT(until, kEvents - 20) << "the newest are there, and in memory";
    for (const core::Sequence after : {core::Sequence{0}, lost.front() - 1, lost.front(),
                                       lost.back() - 1, lost.back(), lost.back() + 1}) {
      if (after >= until) continue;
      EXPECT_EQ(read_all(*store, after, until), all_but(lost, after, until)) << after;
    }
  }
  // What `tocsin history verify` and `export` have of it.
  void expect_walk(const std::vector<core::Sequence>& lost, std::size_t holes) {
    auto reader = HistoryReader::open(history_.options.path);
    ASSERT_TRUE(reader) << reader.error();
    std::vector<core::Sequence> seen;
    std::vector<std::string> faults;
    const auto walked = reader->walk(
        [&](const HistoryRow& row, auto) { seen.push_back(row.place.last); },
        [&](std::string_view fault) { faults.emplace_back(fault); });
    EXPECT_TRUE(walked) << walked.error().text;
    EXPECT_EQ(seen, all_but(lost, 0, kEvents));
    EXPECT_EQ(faults.size(), holes);
    EXPECT_THAT(faults, Contains(HasSubstr("between events " + std::to_string(lost.front() - 1) +
                                           " and " + std::to_string(lost.back() + 1) + " ")));
    const auto structure = reader->structure();
    EXPECT_TRUE(structure) << structure.error().text;
    EXPECT_NE(structure.value_or(""), "");
  }

  SqliteHistory history_;
};

TEST_F(HistoryDamageTest, APageInTheMiddleIsAHole) {
  const auto lost = zero_page_of(300);
  ASSERT_GE(lost.size(), 2U);
  expect_read(lost);
  expect_walk(lost, 1);
}

TEST_F(HistoryDamageTest, TheOldestPageIsAHole) {
  const auto lost = zero_page_of(1);
  expect_read(lost);
  expect_walk(lost, 1);
  EXPECT_EQ(HistoryReader::open(history_.options.path)->extent()->first, lost.back() + 1);
}

TEST_F(HistoryDamageTest, SeveralPagesAreHoles) {
  std::vector<core::Sequence> lost = zero_page_of(100);
  expect_walk(lost, 1);
  for (const core::Sequence event : {101U, 112U, 400U}) {
    const auto more = zero_page_of(event + static_cast<core::Sequence>(lost.size()));
    lost.insert(lost.end(), more.begin(), more.end());
  }
  expect_read(lost);
}

TEST_F(HistoryDamageTest, MemoryBeginsBehindIt) {
  history_.options.load_bytes = 1024 * 1024 * 1024;
  const auto lost = zero_page_of(300);
  auto store = history_.open();
  StoreUser user(*store);
  user.start();
  EXPECT_EQ(store->beginning().last(), lost.back());
  EXPECT_EQ(user.told(), kEvents);
  EXPECT_EQ(read_all(*store, 0, lost.back()), all_but(lost, 0, lost.back()));
}

// The page that leads to all others: what memory has is what is left.
TEST_F(HistoryDamageTest, OneThatLosesAllIsSaid) {
  auto store = history_.open();
  StoreUser user(*store);
  user.start();
  const core::Sequence until = store->beginning().last();
  const auto root = history_.number("SELECT rootpage FROM sqlite_schema WHERE name = 'batch'");
  write_zeros((static_cast<std::size_t>(root) - 1) * kPage);
  EXPECT_EQ(store->read(0, until, [](auto, const auto&) { return true; }), until);
}

// The page of the keys.
TEST_F(HistoryDamageTest, PublishersGoOnWithoutKeys) {
  const auto root = history_.number("SELECT rootpage FROM sqlite_schema WHERE name = 'producer'");
  for (unsigned char start = 1; start <= 2; ++start) {
    write_zeros((static_cast<std::size_t>(root) - 1) * kPage);
    auto store = history_.open();
    StoreUser user(*store);
    user.start();
    const KeptEvents events{{.topic = "a", .id = "", .body = body_of(start)}};
    const core::PublishKey key{.name = {start}, .content = 1, .time_ms = row_time_ms()};
    EXPECT_EQ(user.publish(events, key).outcome, core::StoreAnswer::Outcome::committed);
    EXPECT_EQ(user.publish(events, key).outcome, core::StoreAnswer::Outcome::repeated)
        << "memory knows it";
  }
}

// One that is met later: the oldest keys go a day after they came, and so does their page, beside
// which there is a damaged one.
TEST_F(HistoryDamageTest, PublishersGoOnWhenKeysCannotGo) {
  constexpr std::uint64_t kDayMs = core::kPublishKeyMs;
  const auto key_of = [](unsigned n, std::uint64_t time_ms) {
    core::PublishKey key{.content = 1, .time_ms = time_ms};
    std::ranges::copy("key " + std::to_string(1'000'000 + n), key.name.begin());
    return key;
  };
  {
    auto store = history_.open();
    StoreUser user(*store);
    user.start();
    for (unsigned n = 0; n < 1000; ++n) {
      (void)user.publish({{.topic = "a", .id = "", .body = "data: x\n"}}, key_of(n, kDayMs));
    }
  }
  write_zeros(content().find("key 1000600") / kPage * kPage);
  auto store = history_.open();
  StoreUser user(*store);
  user.start();
  for (unsigned n = 1000; n < 1100; ++n) {
    ASSERT_EQ(user.publish({{.topic = "a", .id = "", .body = "data: x\n"}},
                           key_of(n, 3 * kDayMs)).outcome,
              core::StoreAnswer::Outcome::committed)
        << n;
  }
}

// A file that is full, of which the oldest rows cannot be dropped one after another.
class FullHistoryDamageTest : public HistoryDamageTest,
                              public testing::WithParamInterface<core::Sequence> {};

TEST_P(FullHistoryDamageTest, PublishersGoOn) {
  EXPECT_GE(zero_page_of(GetParam()).size(), 2U);
  history_.options.max_bytes = 2 * 1024 * 1024;
  auto store = history_.open();
  StoreUser user(*store);
  user.start();
  for (core::Sequence n = kEvents + 1; n <= kEvents + 300; ++n) {
    ASSERT_EQ(user.publish({{.topic = "a", .id = "", .body = body_of(n)}}).outcome,
              core::StoreAnswer::Outcome::committed)
        << n;
  }
  EXPECT_LT(std::filesystem::file_size(history_.options.path), 5U * 1024 * 1024 / 2);
}
INSTANTIATE_TEST_SUITE_P(Damaged, FullHistoryDamageTest, testing::Values(1, 100));

}  // namespace
}  // namespace tocsin::net
