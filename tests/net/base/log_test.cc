#include "net/log.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <limits>
#include <string>
#include <thread>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "net/base/log_render.h"

namespace tocsin::net::log {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::MatchesRegex;
using testing::StartsWith;

std::string rendered(LogFormat format, std::string_view message, std::vector<Field> fields) {
  return render(format, LogLevel::info, false, message, fields);
}

TEST(LogRender, LogfmtQuotesWhatIsNotABareWord) {
  EXPECT_EQ(rendered(LogFormat::logfmt, "new stream",
                     {{"address", "127.0.0.1:8080"}, {"empty", ""}, {"pair", "a=b"}}),
            R"(msg="new stream" address=127.0.0.1:8080 empty="" pair="a=b")");
}

TEST(LogRender, JsonKeepsTypes) {
  EXPECT_EQ(
      rendered(LogFormat::json, "m",
               {{"text", "1"},
                {"count", 7U},
                {"negative", -7},
                {"ratio", 0.5},
                {"infinite", std::numeric_limits<double>::infinity()},
                {"yes", true}}),
      R"("msg":"m","text":"1","count":7,"negative":-7,"ratio":0.5,"infinite":null,"yes":true)");
}

TEST(LogRender, NothingFromAClientForgesALineOrDrivesATerminal) {
  const std::string evil = "a\nb\r\t\x1b[31m\"\\\x7f\xC2\x9B\xFF";
  const std::string escaped = "a\\nb\\r\\t\\u001b[31m\\\"\\\\\\u007f\\u009b\xEF\xBF\xBD";
  EXPECT_EQ(rendered(LogFormat::json, "m", {{"k", evil}}),
            "\"msg\":\"m\",\"k\":\"" + escaped + '"');
  EXPECT_EQ(rendered(LogFormat::logfmt, evil, {}), "msg=\"" + escaped + '"');
  EXPECT_THAT(rendered(LogFormat::human, evil, {}), EndsWith(escaped));
}

TEST(LogRender, ValidUtf8PassesAndBrokenSequencesAreReplaced) {
  EXPECT_EQ(rendered(LogFormat::logfmt, "\u00e9\u20ac\U0001F514", {}),
            "msg=\"\u00e9\u20ac\U0001F514\"");
  // Cut, overlong and surrogate: one replacement for each byte.
  EXPECT_EQ(rendered(LogFormat::logfmt, "\xE2\x82", {}), "msg=\"\uFFFD\uFFFD\"");
  EXPECT_EQ(rendered(LogFormat::logfmt, "\xC0\xAF", {}), "msg=\"\uFFFD\uFFFD\"");
  EXPECT_EQ(rendered(LogFormat::logfmt, "\xED\xA0\x80", {}), "msg=\"\uFFFD\uFFFD\uFFFD\"");
}

TEST(LogRender, HumanNamesTheLevelAndColoursOnRequest) {
  const std::vector<Field> fields{{"shards", 2}};
  EXPECT_EQ(render(LogFormat::human, LogLevel::warning, false, "listening", fields),
            "warning listening shards=2");
  EXPECT_EQ(render(LogFormat::human, LogLevel::error, true, "x", {}), "\x1b[31merror  \x1b[0m x");
}

// Standard error goes into a pipe for the length of a test.
class LogToPipe : public testing::Test {
 protected:
  LogToPipe() {
    EXPECT_EQ(::pipe2(pipe_.data(), O_CLOEXEC), 0);
    saved_ = ::fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
    redirect(pipe_[1]);
  }
  ~LogToPipe() override {
    ::dup2(saved_, STDERR_FILENO);
    ::unsetenv("JOURNAL_STREAM");
    configure(LogLevel::info, LogFormat::automatic);
    for (const int fd : {pipe_[0], pipe_[1], saved_}) {
      ::close(fd);
    }
  }

  static void redirect(int fd) { ASSERT_EQ(::dup2(fd, STDERR_FILENO), STDERR_FILENO); }

  // What has been written so far.
  std::string drain() {
    ::fcntl(pipe_[0], F_SETFL, O_NONBLOCK);
    std::string text;
    std::array<char, 65536> part{};
    for (ssize_t n = 0; (n = ::read(pipe_[0], part.data(), part.size())) > 0;) {
      text.append(part.data(), static_cast<std::size_t>(n));
    }
    return text;
  }

  std::array<int, 2> pipe_{};
  int saved_ = -1;
};

TEST_F(LogToPipe, AutomaticIsLogfmtWhereThereIsNoTerminal) {
  configure(LogLevel::info, LogFormat::automatic);
  info("listening", {{"shards", 2}});
  EXPECT_THAT(drain(), MatchesRegex("time=[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}\\.[0-9]{3}Z "
                                    "level=info msg=listening shards=2\n"));
}

TEST_F(LogToPipe, JsonIsOneObjectPerLine) {
  configure(LogLevel::info, LogFormat::json);
  warning("slow", {{"behind", 9}});
  EXPECT_THAT(drain(),
              MatchesRegex("\\{\"time\":\"[^\"]*Z\",\"level\":\"warning\",\"msg\":\"slow\","
                           "\"behind\":9\\}\n"));
}

TEST_F(LogToPipe, HumanHasAShortTimeAndNoColoursOffATerminal) {
  configure(LogLevel::info, LogFormat::human);
  info("hello");
  EXPECT_THAT(drain(), MatchesRegex("[0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{3} info    hello\n"));
}

TEST_F(LogToPipe, LevelsFilterAndCanBeChanged) {
  configure(LogLevel::warning, LogFormat::logfmt);
  info("no");
  EXPECT_FALSE(enabled(LogLevel::info));
  EXPECT_EQ(drain(), "");
  set_level(LogLevel::trace);
  EXPECT_TRUE(enabled(LogLevel::trace));
  trace("one");
  debug("two");
  error("three");
  EXPECT_THAT(drain(), MatchesRegex("time=.* level=trace msg=one\ntime=.* level=debug msg=two\n"
                                    "time=.* level=error msg=three\n"));
}

TEST_F(LogToPipe, JournalGetsPrioritiesAndNoTime) {
  struct stat status{};
  ASSERT_EQ(::fstat(STDERR_FILENO, &status), 0);
  ::setenv("JOURNAL_STREAM", fmt::format("{}:{}", status.st_dev, status.st_ino).c_str(), 1);
  configure(LogLevel::debug, LogFormat::automatic);
  debug("a");
  info("b");
  warning("c");
  error("d");
  EXPECT_EQ(drain(),
            "<7>level=debug msg=a\n<6>level=info msg=b\n<4>level=warning msg=c\n"
            "<3>level=error msg=d\n");
}

TEST_F(LogToPipe, AnotherProcessesJournalStreamIsIgnored) {
  ::setenv("JOURNAL_STREAM", "1:1", 1);
  configure(LogLevel::info, LogFormat::automatic);
  info("a");
  EXPECT_THAT(drain(), StartsWith("time="));
}

TEST_F(LogToPipe, AFullPipeDropsAndCountsAndNeverBlocks) {
  configure(LogLevel::info, LogFormat::logfmt);
  ASSERT_GT(::fcntl(pipe_[1], F_SETPIPE_SZ, 4096), 0);
  const std::uint64_t before = dropped();
  for (int i = 0; i < 1000; ++i) {
    info("a line that fills the pipe");
  }
  EXPECT_GT(dropped(), before);
  const std::string kept = drain();
  EXPECT_THAT(kept, EndsWith("msg=\"a line that fills the pipe\"\n"));
  info("again");
  EXPECT_THAT(drain(), EndsWith("msg=again\n"));
}

TEST_F(LogToPipe, AFullSocketDropsAndCountsToo) {
  std::array<int, 2> pair{};
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair.data()), 0);
  redirect(pair[1]);
  configure(LogLevel::info, LogFormat::logfmt);
  const std::uint64_t before = dropped();
  const std::string text(2000, 'x');
  for (int i = 0; i < 10'000 && dropped() == before; ++i) {
    info(text);
  }
  EXPECT_GT(dropped(), before);
  redirect(pipe_[1]);
  ::close(pair[0]);
  ::close(pair[1]);
}

TEST_F(LogToPipe, AReaderThatIsGoneIsSurvived) {
  configure(LogLevel::info, LogFormat::logfmt);
  std::array<int, 2> broken{};
  ASSERT_EQ(::pipe2(broken.data(), O_CLOEXEC), 0);
  redirect(broken[1]);
  ::close(broken[0]);
  ::close(broken[1]);
  const std::uint64_t before = dropped();
  info("nobody reads this");
  EXPECT_EQ(dropped(), before + 1);
  redirect(pipe_[1]);
}

TEST_F(LogToPipe, AVeryLongRecordIsCutToOneLine) {
  configure(LogLevel::info, LogFormat::logfmt);
  info(std::string(100'000, 'x'));
  const std::string text = drain();
  EXPECT_EQ(text.size(), 4096U);
  EXPECT_THAT(text, EndsWith("x\n"));
}

TEST_F(LogToPipe, LinesOfSeveralThreadsStayWhole) {
  configure(LogLevel::info, LogFormat::logfmt);
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([] {
      for (int i = 0; i < 50; ++i) {
        info("whole", {{"tail", "end"}});
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  const std::string text = drain();
  std::size_t lines = 0;
  for (std::size_t at = 0;
       (at = text.find(" level=info msg=whole tail=end\n", at)) != std::string::npos; ++at) {
    ++lines;
  }
  EXPECT_EQ(lines, 200U);
}

TEST_F(LogToPipe, AProgramCanHaveTheRecordsItself) {
  configure(LogLevel::info, LogFormat::json);
  std::vector<std::string> got;
  set_sink([&](LogLevel level, std::string_view record) {
    got.push_back(std::to_string(static_cast<int>(level)) + ' ' + std::string(record));
  });
  debug("not wanted");
  info("a b", {{"key", 1}});
  warning("w");
  error("e");
  set_sink(nullptr);
  info("on the terminal again");
  EXPECT_THAT(got, testing::ElementsAre("2 msg=\"a b\" key=1", "3 msg=w", "4 msg=e"));
  EXPECT_THAT(drain(), testing::AllOf(StartsWith("{"), HasSubstr("terminal again"),
                                      testing::Not(HasSubstr("msg=w"))));
}

TEST_F(LogToPipe, OncePerSecondWritesTheFirstAndTheCountOfTheOthers) {
  configure(LogLevel::info, LogFormat::logfmt);
  constexpr std::uint64_t kSecond = 1'000'000'000;
  OncePerSecond place;
  place.write(kSecond, LogLevel::warning, "accept failed", {{"error", "EMFILE"}});
  EXPECT_THAT(drain(), EndsWith("msg=\"accept failed\" error=EMFILE\n"));
  place.write(kSecond + 1, LogLevel::warning, "accept failed");
  place.write(2 * kSecond - 1, LogLevel::warning, "accept failed");
  EXPECT_EQ(drain(), "");
  place.write(2 * kSecond, LogLevel::warning, "accept failed", {{"error", "EMFILE"}});
  EXPECT_THAT(drain(), EndsWith("error=EMFILE suppressed=2\n"));
  place.write(3 * kSecond, LogLevel::warning, "accept failed");
  EXPECT_THAT(drain(), EndsWith("msg=\"accept failed\"\n"));
}

TEST_F(LogToPipe, OncePerSecondLosesNoCountBetweenThreads) {
  configure(LogLevel::info, LogFormat::logfmt);
  OncePerSecond place;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 1000; ++i) {
        place.write(5, LogLevel::info, "same moment");
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  place.write(2'000'000'000, LogLevel::info, "later");
  EXPECT_THAT(drain(), HasSubstr("msg=later suppressed=3999\n"));
}

}  // namespace
}  // namespace tocsin::net::log
