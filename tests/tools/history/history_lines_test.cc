// A history as lines, there and back; and what `tocsin history` finds in a file.
#include "tools/history/history_lines.h"

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "net/store/database.h"
#include "net/store/history_file.h"
#include "net/store/history_reader.h"
#include "proto/limits.h"
#include "tests/net/support/temporary_folder.h"

namespace tocsin::tools {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

NextLine lines_of(std::vector<std::string> lines) {
  return [lines = std::move(lines), at = std::size_t{0}]() mutable {
    return at < lines.size() ? lines[at++] : std::string{};
  };
}

class HistoryLinesTest : public testing::Test {
 protected:
  [[nodiscard]] std::vector<std::string> exported() const {
    std::vector<std::string> lines;
    auto history = net::HistoryReader::open(path_);
    EXPECT_TRUE(history) << history.error();
    const auto walked = history->walk(
        [&](const net::HistoryRow&, std::span<const core::NewEvent> events) {
          for (const core::NewEvent& event : events) {
            EXPECT_TRUE(append_history_line(lines.emplace_back(), event));
          }
        },
        [](std::string_view fault) { ADD_FAILURE() << fault; });
    EXPECT_TRUE(walked);
    return lines;
  }
  // What is found damaged.
  [[nodiscard]] std::vector<std::string> faults() const {
    std::vector<std::string> found;
    auto history = net::HistoryReader::open(path_);
    const auto walked = history->walk([](const auto&, auto) {},
                                      [&](std::string_view fault) { found.emplace_back(fault); });
    EXPECT_TRUE(walked);
    return found;
  }
  void change(const std::string& statement) const {
    auto database = net::Database::open(path_, net::Database::Access::write);
    ASSERT_TRUE(database && database->run(statement));
  }

  const TemporaryFolder folder_;
  const std::string path_ = folder_.path("history.db");
};

TEST_F(HistoryLinesTest, LinesComeBackAsTheyWere) {
  const std::vector<std::string> lines{
      R"({"topic":"a","data":"1"})" "\n",
      R"({"topic":"a","type":"tick","id":"own","retry":3000,"data":"two\nlines"})" "\n",
      R"({"topic":"b \"quoted\"","type":"message","data":""})" "\n",
  };
  EXPECT_EQ(make_history_of_lines(path_, lines_of(lines)), 3U);
  EXPECT_EQ(exported(), lines);
  auto history = net::HistoryReader::open(path_);
  const auto extent = history->extent();
  ASSERT_TRUE(extent);
  EXPECT_EQ(extent->first, 1U);
  EXPECT_EQ(history->journal().last(), 3U);
  EXPECT_EQ(history->structure().value(), "");
}

// As after SIGKILL in the middle.
TEST_F(HistoryLinesTest, AnImportThatDidNotEndIsNoHistory) {
  const std::string copy = folder_.path("killed.db");
  const auto made = make_history_of_lines(path_, [&, lines = 0]() mutable -> std::string {
    if (++lines == 2501) {
      for (const char* end : {"", "-wal"}) std::filesystem::copy_file(path_ + end, copy + end);
      return {};
    }
    return R"({"topic":"a","data":"1"})" "\n";
  });
  EXPECT_EQ(made, 2500U);
  EXPECT_THAT(net::HistoryReader::open(copy).error(), HasSubstr("import that did not end"));
  const auto opened = net::HistoryFile::open({.path = copy, .reserve_bytes = 0});
  ASSERT_FALSE(opened);
  EXPECT_THAT(opened.error(), HasSubstr("import that did not end"));
}

TEST_F(HistoryLinesTest, ManyLinesAreManyCommits) {
  std::vector<std::string> lines;
  for (int i = 0; i < 2500; ++i) {
    lines.push_back(R"({"topic":"a","data":")" + std::to_string(i) + "\"}\n");
  }
  EXPECT_EQ(make_history_of_lines(path_, lines_of(lines)), 2500U);
  EXPECT_EQ(exported(), lines);
  change("UPDATE batch SET crc = 0 WHERE last = 2000");
  EXPECT_THAT(faults(), ElementsAre("the batch that ends with event 2000 is damaged"));
  change("DELETE FROM batch WHERE last = 2000");
  EXPECT_THAT(faults(), ElementsAre("events 1001 to 2000 are missing"));
}

TEST_F(HistoryLinesTest, AMistakeIsNamedAndLeavesNothing) {
  std::vector<std::string> lines(1500, R"({"topic":"a","data":"x"})" "\n");
  lines[1233] = R"({"topic":"a","date":"x"})" "\n";
  const auto made = make_history_of_lines(path_, lines_of(lines));
  ASSERT_FALSE(made);
  EXPECT_THAT(made.error(), HasSubstr("line 1234: date"));
  EXPECT_FALSE(std::filesystem::exists(path_));
  EXPECT_FALSE(std::filesystem::exists(path_ + ".reserve"));
}

TEST_F(HistoryLinesTest, BlankLinesAreCountedToo) {
  std::vector<std::string> lines(1500, "\n");
  lines[1233] = R"({"topic":"a","date":"x"})" "\n";
  EXPECT_THAT(make_history_of_lines(path_, lines_of(lines)).error(), HasSubstr("line 1234: date"));
}

// What a hub's position is there no event may have, as over HTTP.
TEST_F(HistoryLinesTest, AnIdOfTheHubsOwnIsNoPublishers) {
  std::vector<std::string> lines(1500, R"({"topic":"a","data":"x"})" "\n");
  lines[1100] = " \n";
  lines[1233] = R"({"topic":"a","id":"earliest","data":"x"})" "\n";
  EXPECT_THAT(make_history_of_lines(path_, lines_of(lines)).error(),
              HasSubstr("line 1234: id: this form is reserved for the hub's own ids"));
  EXPECT_FALSE(std::filesystem::exists(path_));
  lines[1233] = R"({"topic":"a","id":"0000002a-1","data":"x"})" "\n";
  EXPECT_EQ(make_history_of_lines(path_, lines_of(lines)), 1499U) << "of another history";
}

TEST_F(HistoryLinesTest, ALineHasABound) {
  const auto line_of_size = [](std::size_t size) {
    const std::string start = R"({"topic":"a","data":"x"})";
    return start + std::string(size - start.size() - 1, ' ') + "\n";
  };
  EXPECT_EQ(make_history_of_lines(path_, lines_of({line_of_size(kMaxHistoryLine)})), 1U);
  EXPECT_THAT(make_history_of_lines(folder_.path("other.db"),
                                    lines_of({"\n", line_of_size(kMaxHistoryLine + 1)}))
                  .error(),
              HasSubstr("line 2: is longer than 8388608 bytes"));
}

// The largest that may be published, every byte of which is escaped.
TEST_F(HistoryLinesTest, TheLargestEventHasALine) {
  std::string line = R"({"topic":"a","data":")";
  for (std::size_t i = 0; i < limits::kMaxEventData; ++i) line += "\\u0001";
  line += "\"}\n";
  ASSERT_LE(line.size(), kMaxHistoryLine);
  EXPECT_EQ(make_history_of_lines(path_, lines_of({line})), 1U);
  EXPECT_THAT(exported(), ElementsAre(line));
}

TEST_F(HistoryLinesTest, WhatIsBesideAFileThatIsNotThereStays) {
  for (const char* end : {"-wal", "-shm", "-journal", ".lock", ".reserve"}) {
    const std::string beside = folder_.write(std::string("history.db") + end, "precious");
    EXPECT_THAT(make_history_of_lines(path_, lines_of({"no line\n"})).error(),
                HasSubstr("history.db" + std::string(end) + " is there already"));
    EXPECT_EQ(std::filesystem::file_size(beside), 8U);
    std::filesystem::remove(beside);
  }
  std::filesystem::create_symlink("nowhere", path_);
  EXPECT_THAT(make_history_of_lines(path_, lines_of({})).error(), HasSubstr("is there already"));
}

// It is the hub's that opens the file.
TEST_F(HistoryLinesTest, NoReserveIsTaken) {
  EXPECT_EQ(make_history_of_lines(path_, lines_of({R"({"data":"x"})" "\n"})), 1U);
  EXPECT_FALSE(std::filesystem::exists(path_ + ".reserve"));
}

TEST_F(HistoryLinesTest, AFileThatIsThereStays) {
  EXPECT_EQ(make_history_of_lines(path_, lines_of({})), 0U);
  EXPECT_THAT(make_history_of_lines(path_, lines_of({})).error(), HasSubstr("is there already"));
  EXPECT_THAT(exported(), IsEmpty());
}

// Older files may have them in names, and data has whatever was published.
TEST_F(HistoryLinesTest, WhatActsOnATerminalIsEscaped) {
  std::string line;
  EXPECT_TRUE(append_history_line(
      line, {.topic = "a\xC2\x9B\xC3\xA9\x1B",
             .id = "\xE2\x80\xAE",
             .body = "data: \xE2\x81\xA6\xE2\x82\xAC\n"}));
  EXPECT_EQ(line, "{\"topic\":\"a\\u009b\xC3\xA9\\u001b\",\"id\":\"\\u202e\","
                  "\"data\":\"\\u2066\xE2\x82\xAC\"}\n");
}

TEST_F(HistoryLinesTest, WhatIsNoFrameIsNoLine) {
  std::string line;
  EXPECT_FALSE(append_history_line(line, {.topic = "a", .id = "", .body = "noise\n"}));
  EXPECT_EQ(line, "");
}

}  // namespace
}  // namespace tocsin::tools
