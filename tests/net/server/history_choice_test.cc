// Which histories there are, and what is said of where one is to be.
#include "net/server/history_choice.h"

#include <filesystem>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/net/support/temporary_folder.h"

namespace tocsin::net {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

TEST(HistoryChoiceTest, AHistoryIsMemoryOrAFile) {
  for (const char* good : {"memory", "sqlite:/srv/history.db", "sqlite:history.db", "sqlite:x:y"}) {
    EXPECT_EQ(history_fault(good), "") << good;
  }
  for (const char* bad : {"", "sqlite", "sqlite:", "sqlite::memory:", "sqlite:file:x?vfs=y",
                          "Memory", "redis://localhost"}) {
    EXPECT_NE(history_fault(bad), "") << bad;
  }
  EXPECT_NE(history_fault(std::string("sqlite:a\0b", 10)), "");
}

TEST(HistoryChoiceTest, WhatComesBackIsWhatMemoryKeeps) {
  ServerOptions options;
  options.history = "sqlite:x";
  options.history_age_s = 10;
  EXPECT_EQ(history_file_options(options).load_age_ms, 10'000U);
  options.namespaces = {{.match = "a", .options = {.history_age_s = 20}}};
  EXPECT_EQ(history_file_options(options).load_age_ms, 20'000U);
  options.namespaces.push_back({.match = "b", .options = {.history_age_s = 0}});
  EXPECT_EQ(history_file_options(options).load_age_ms, 0U) << "some topic has no limit";
  EXPECT_EQ(history_file_options(options).load_bytes, options.history_total_bytes);
}

TEST(HistoryChoiceTest, AFolderThatIsMissingAndADiskThatIsSmallAreNamed) {
  ServerOptions options;
  EXPECT_THAT(history_warnings(options), IsEmpty());
  options.history = "sqlite:/nowhere/at/all/history.db";
  EXPECT_THAT(history_warnings(options), ElementsAre(HasSubstr("No such file or directory")));
  options.history = "sqlite:" + (std::filesystem::temp_directory_path() / "none.db").string();
  options.history_file_bytes = 1ULL << 60;
  EXPECT_THAT(history_warnings(options), ElementsAre(HasSubstr("has room for")));
}

class HistoryChoiceOfAFile : public testing::Test {
 protected:
  HistoryChoiceOfAFile() {
    options.history = "sqlite:" + name;
    options.history_file_bytes = 1;
  }

  const TemporaryFolder folder;
  const std::string name = folder.write("history.db", "");
  ServerOptions options;
};

// As the hub itself would say at its start.
TEST_F(HistoryChoiceOfAFile, ThatIsNoHistoryIsNamed) {
  const auto judgement = Contains(HasSubstr("is another kind of file"));
  EXPECT_THAT(history_warnings(options), Not(judgement)) << "a history begins in an empty file";
  folder.write("history.db", "# Notes\n");
  EXPECT_THAT(history_warnings(options), judgement);
}

TEST_F(HistoryChoiceOfAFile, ThatEverybodyMayReadIsNamed) {
  EXPECT_THAT(history_warnings(options), Not(Contains(HasSubstr("everybody"))));
  folder.write("history.db", "", 0644);
  EXPECT_THAT(history_warnings(options),
              Contains(HasSubstr(name + " can be read by everybody (mode 0644)")));
}

}  // namespace
}  // namespace tocsin::net
