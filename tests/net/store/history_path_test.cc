// Where a history's file is, and who may read it.
#include "net/store/history_path.h"

#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "net/store/history_reader.h"
#include "tests/net/store/sqlite_history.h"
#include "tests/net/store/store_user.h"

namespace tocsin::net {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class HistoryPathTest : public testing::Test {
 protected:
  // Nothing is private because of it.
  HistoryPathTest() : umask_(::umask(0)) { fs::create_directory(folder_ / "disk"); }
  ~HistoryPathTest() override { ::umask(umask_); }

  [[nodiscard]] std::string refusal() {
    auto store = history_.try_open();
    return store ? "opened" : store.error();
  }
  // What `tocsin history` says.
  [[nodiscard]] std::string reader_refusal() const {
    const auto reader = HistoryReader::open(history_.options.path);
    return reader ? "opened" : reader.error();
  }
  [[nodiscard]] static std::string text_of(const fs::path& path) {
    std::string text;
    std::getline(std::ifstream(path), text);
    return text;
  }

  SqliteHistory history_;
  const fs::path folder_ = history_.folder;
  const fs::path file_ = history_.options.path;

 private:
  const ::mode_t umask_;
};

TEST_F(HistoryPathTest, APlaceIsWhereAllLinksLead) {
  const std::string disk = (fs::canonical(folder_) / "disk").string();
  fs::create_symlink("disk", folder_ / "folder");
  fs::create_symlink("folder/../folder/second", folder_ / "first");
  fs::create_symlink(folder_ / "disk" / "file", folder_ / "disk" / "second");
  for (const char* there : {"no", "yes"}) {
    for (const char* path : {"first", "folder/file", "disk/../disk/second", "disk/file"}) {
      EXPECT_EQ(place_of_history((folder_ / path).string()), disk + "/file") << path << there;
    }
    std::ofstream(folder_ / "disk" / "file").close();
  }
}

TEST_F(HistoryPathTest, WhatIsNoFileIsRefused) {
  ASSERT_EQ(::mkfifo(file_.c_str(), 0600), 0);
  EXPECT_THAT(refusal(), HasSubstr("is no regular file"));
  EXPECT_THAT(reader_refusal(), HasSubstr("is no regular file"));
  history_.options.path = folder_ / "disk";
  EXPECT_THAT(refusal(), HasSubstr("is no regular file"));
  fs::create_symlink("circle", folder_ / "circle");
  history_.options.path = folder_ / "circle";
  EXPECT_THAT(refusal(), HasSubstr("is a link without an end"));
  history_.options.path = folder_ / "none" / "file";
  EXPECT_THAT(refusal(), HasSubstr("No such file or directory"));
}

// SQLite makes what a link leads to, and gives what it puts beside a file the same rights.
TEST_F(HistoryPathTest, AFileThatIsMadeBehindALinkIsPrivate) {
  fs::create_symlink("disk/real.db", file_);
  auto store = history_.open();
  StoreUser user(*store);
  user.start();
  (void)user.publish({{.topic = "a", .id = "", .body = "data: x\n"}});
  for (const char* end : {"", "-wal", "-shm", ".lock", ".reserve"}) {
    const fs::path real = (folder_ / "disk" / "real.db").string() + end;
    ASSERT_TRUE(fs::exists(real)) << real;
    EXPECT_EQ(fs::status(real).permissions() & ~fs::perms::owner_all, fs::perms::none) << real;
  }
}

TEST_F(HistoryPathTest, AHistoryHasOneLockWhateverItsName) {
  auto store = history_.open();
  fs::create_symlink("history.db", folder_ / "link");
  fs::create_symlink(folder_, folder_ / "disk" / "folder");
  for (const char* other : {"link", "disk/folder/history.db"}) {
    history_.options.path = folder_ / other;
    EXPECT_THAT(refusal(), HasSubstr("another hub has this history open")) << other;
  }
}

// Its log would be another, too.
TEST_F(HistoryPathTest, AFileWithTwoNamesIsRefused) {
  history_.open().reset();
  fs::create_hard_link(file_, folder_ / "other");
  EXPECT_THAT(refusal(), HasSubstr("has another name as well"));
  EXPECT_THAT(reader_refusal(), HasSubstr("has another name as well"));
  fs::remove(folder_ / "other");
  EXPECT_EQ(refusal(), "opened");
}

// In a folder where others write: nothing that a link leads to is written or cut.
TEST_F(HistoryPathTest, WhatIsBesideTheFileIsNoLink) {
  const fs::path victim = folder_ / "victim";
  std::ofstream(victim) << "precious";
  fs::create_symlink(victim, history_.beside(".reserve"));
  EXPECT_EQ(refusal(), "opened") << "without its reserve";
  EXPECT_EQ(text_of(victim), "precious");
  fs::remove(history_.beside(".lock"));
  fs::create_symlink(victim, history_.beside(".lock"));
  EXPECT_THAT(refusal(), HasSubstr("history.db.lock"));
  EXPECT_EQ(text_of(victim), "precious");
}

// Whoever may open it can lock it.
TEST_F(HistoryPathTest, ALockThatOthersMayOpenBecomesPrivate) {
  history_.open().reset();
  ASSERT_EQ(::chmod(history_.beside(".lock").c_str(), 0666), 0);
  EXPECT_EQ(refusal(), "opened");
  EXPECT_EQ(fs::status(history_.beside(".lock")).permissions(),
            fs::perms::owner_read | fs::perms::owner_write);
}

TEST_F(HistoryPathTest, AFileThatEverybodyMayReadIsNamed) {
  EXPECT_EQ(exposure_of_history(file_), "") << "none";
  history_.open().reset();
  for (const ::mode_t mode : {0600U, 0640U, 0660U}) {
    ASSERT_EQ(::chmod(file_.c_str(), mode), 0);
    EXPECT_EQ(exposure_of_history(file_), "") << mode;
  }
  ASSERT_EQ(::chmod(file_.c_str(), 0644), 0);
  EXPECT_EQ(exposure_of_history(file_),
            file_.string() + " can be read by everybody (mode 0644)");
  ASSERT_EQ(::chmod(file_.c_str(), 0666), 0);
  EXPECT_THAT(exposure_of_history(file_), HasSubstr("can be changed by everybody (mode 0666)"));
}

}  // namespace
}  // namespace tocsin::net
