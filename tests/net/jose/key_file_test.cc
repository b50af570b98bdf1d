#include "net/jose/key_file.h"

#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "net/jose/key_documents.h"
#include "tests/net/support/temporary_folder.h"

namespace tocsin::net {
namespace {

using testing::HasSubstr;

class KeyFiles : public testing::Test {
 protected:
  std::string write(std::string_view bytes, mode_t mode) {
    return made_.write("key", bytes, mode);
  }

  const TemporaryFolder made_;
  const std::string folder_ = made_.path();
};

TEST_F(KeyFiles, AreReadAsTheyAre) {
  const std::string bytes("a\0b\n", 4);
  const auto file = read_key_file(write(bytes, 0600));
  ASSERT_TRUE(file) << file.error();
  EXPECT_EQ(file->bytes.view(), bytes);
  EXPECT_EQ(file->exposure, "");
  EXPECT_EQ(file->changeable, "");
}

TEST_F(KeyFiles, SayWhoElseCanReadThem) {
  EXPECT_EQ(read_key_file(write("k", 0400))->exposure, "");
  EXPECT_EQ(read_key_file(write("k", 0640))->exposure, "");
  EXPECT_THAT(read_key_file(write("k", 0644))->exposure,
              HasSubstr("read by everybody (mode 0644)"));
  EXPECT_EQ(read_key_file(write("k", 0644))->changeable, "");
  EXPECT_THAT(read_key_file(write("k", 0602))->exposure, HasSubstr("changed by everybody"));
  EXPECT_THAT(read_key_file(write("k", 0646))->exposure, HasSubstr("read by everybody"));
  EXPECT_THAT(read_key_file(write("k", 0646))->changeable,
              HasSubstr("changed by everybody (mode 0646)"));
}

// Whoever can change a folder can put another file there.
TEST_F(KeyFiles, SayWhoCanPutAnotherInTheirPlace) {
  const std::string path = write("k", 0600);
  ASSERT_EQ(chmod(folder_.c_str(), 0777), 0);
  EXPECT_EQ(read_key_file(path)->changeable, folder_ + " can be changed by everybody (mode 0777)");
  EXPECT_EQ(read_key_file(path)->exposure, read_key_file(path)->changeable);
  const std::string inner = folder_ + "/inner";
  ASSERT_EQ(mkdir(inner.c_str(), 0700), 0);
  std::filesystem::rename(path, inner + "/key");
  EXPECT_THAT(read_key_file(inner + "/key")->changeable, HasSubstr(folder_ + " can be changed"));
  ASSERT_EQ(chmod(folder_.c_str(), 01777), 0);
  EXPECT_EQ(read_key_file(inner + "/key")->changeable, "");
  ASSERT_EQ(chmod(folder_.c_str(), 0700), 0);
  // A link from elsewhere.
  const std::string open = folder_ + "/open";
  ASSERT_EQ(mkdir(open.c_str(), 0700), 0);
  ASSERT_EQ(chmod(open.c_str(), 0777), 0);
  std::filesystem::create_symlink(inner + "/key", open + "/link");
  EXPECT_THAT(read_key_file(open + "/link")->changeable, HasSubstr(open + " can be changed"));
  EXPECT_EQ(read_key_file(inner + "/key")->changeable, "");
}

TEST_F(KeyFiles, AreFilesOfABoundedSize) {
  EXPECT_TRUE(read_key_file(write(std::string(kMaxKeyDocument, 'k'), 0600)));
  const auto large = read_key_file(write(std::string(kMaxKeyDocument + 1, 'k'), 0600));
  ASSERT_FALSE(large);
  EXPECT_THAT(large.error(), HasSubstr("too large"));
  EXPECT_THAT(read_key_file(folder_).error(), HasSubstr("no regular file"));
  EXPECT_THAT(read_key_file(folder_ + "/none").error(), HasSubstr("No such file"));
  const std::string pipe = folder_ + "/pipe";
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  EXPECT_THAT(read_key_file(pipe).error(), HasSubstr("no regular file"));
}

}  // namespace
}  // namespace tocsin::net
