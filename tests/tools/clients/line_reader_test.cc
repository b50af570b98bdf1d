#include "tools/clients/line_reader.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tocsin::tools {
namespace {

using ::testing::ElementsAre;

class LineReaderTest : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_EQ(pipe2(pipe_, O_CLOEXEC), 0); }
  void TearDown() override {
    close(pipe_[0]);
    end();
  }
  void put(std::string_view text) {
    ASSERT_EQ(write(pipe_[1], text.data(), text.size()), static_cast<ssize_t>(text.size()));
  }
  void end() {
    if (pipe_[1] >= 0) close(pipe_[1]);
    pipe_[1] = -1;
  }
  // "number:text", with a '!' if it was too long.
  static std::vector<std::string> take(LineReader& reader) {
    std::vector<std::string> lines;
    while (const auto line = reader.next()) {
      lines.push_back(std::to_string(line->number) + (line->too_long ? "!" : ":") +
                      std::string(line->text));
    }
    return lines;
  }

  int pipe_[2] = {-1, -1};
};

TEST_F(LineReaderTest, GivesLinesAtEverySplit) {
  const std::string text =
      "a\r\n\nbc\r\rd\n0123456789\n0123456789x\n0123456789\r\ntoolong45678\nlast";
  for (std::size_t cut = 0; cut <= text.size(); ++cut) {
    int fds[2];
    ASSERT_EQ(pipe2(fds, O_CLOEXEC), 0);
    LineReader reader(fds[0], 10);
    std::vector<std::string> lines;
    for (const auto& part : {text.substr(0, cut), text.substr(cut)}) {
      if (part.empty()) continue;
      ASSERT_GT(write(fds[1], part.data(), part.size()), 0);
      ASSERT_TRUE(reader.fill());
      for (auto& line : take(reader)) lines.push_back(std::move(line));
    }
    close(fds[1]);
    ASSERT_TRUE(reader.fill());
    EXPECT_TRUE(reader.at_end());
    for (auto& line : take(reader)) lines.push_back(std::move(line));
    EXPECT_THAT(lines, ElementsAre("1:a", "2:", "3:bc\r\rd", "4:0123456789", "5!0123456789",
                                   "6:0123456789", "7!toolong456", "8:last"))
        << cut;
    close(fds[0]);
  }
}

TEST_F(LineReaderTest, DoesNotKeepALineThatIsTooLong) {
  LineReader reader(pipe_[0], 10);
  std::vector<std::string> lines;
  for (int i = 0; i < 100; ++i) {
    put(std::string(1000, 'x'));
    ASSERT_TRUE(reader.fill());
    for (auto& line : take(reader)) lines.push_back(std::move(line));
  }
  put("\nb");
  end();
  ASSERT_TRUE(reader.fill());
  ASSERT_TRUE(reader.fill());
  for (auto& line : take(reader)) lines.push_back(std::move(line));
  EXPECT_THAT(lines, ElementsAre("1!xxxxxxxxxx", "2:b"));
}

TEST_F(LineReaderTest, ATooLongLastLineIsOneLine) {
  for (const std::size_t size : {11U, 12U, 500U}) {
    int fds[2];
    ASSERT_EQ(pipe2(fds, O_CLOEXEC), 0);
    const std::string text(size, 'x');
    ASSERT_GT(write(fds[1], text.data(), text.size()), 0);
    close(fds[1]);
    LineReader reader(fds[0], 10);
    ASSERT_TRUE(reader.fill());
    auto lines = take(reader);
    ASSERT_TRUE(reader.fill());
    for (auto& line : take(reader)) lines.push_back(std::move(line));
    EXPECT_THAT(lines, ElementsAre("1!xxxxxxxxxx")) << size;
    close(fds[0]);
  }
}

TEST_F(LineReaderTest, EmptyInputHasNoLine) {
  end();
  LineReader reader(pipe_[0], 10);
  ASSERT_TRUE(reader.fill());
  EXPECT_TRUE(reader.at_end());
  EXPECT_TRUE(take(reader).empty());
}

TEST_F(LineReaderTest, ReportsAReadError) {
  const int directory = open("/", O_RDONLY | O_CLOEXEC | O_DIRECTORY);
  LineReader reader(directory, 10);
  EXPECT_FALSE(reader.fill());
  EXPECT_EQ(errno, EISDIR);
  close(directory);
}

}  // namespace
}  // namespace tocsin::tools
