#include "tools/load/host/server_probe.h"

#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <fstream>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/net/support/temporary_folder.h"

namespace tocsin::load {
namespace {

using testing::HasSubstr;

ServerUsage own_usage(bool with_memory) {
  return ServerProbe({::getpid()}).usage(with_memory);
}

// Until `ns` of CPU are used: no time is waited for.
void burn(std::uint64_t ns) {
  const std::uint64_t start = own_usage(false).cpu_ns;
  while (own_usage(false).cpu_ns < start + ns) {
  }
}

constexpr std::size_t kBlock = 16'000'000;
constexpr std::uint64_t kNoise = kBlock / 2;  // what else may come and go

// Resident memory that no allocator keeps for later.
class Block {
 public:
  Block()
      : start_(::mmap(nullptr, kBlock, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0)) {
    EXPECT_NE(start_, MAP_FAILED);
  }
  ~Block() { ::munmap(start_, kBlock); }
  Block(const Block&) = delete;
  Block& operator=(const Block&) = delete;

 private:
  void* start_;
};

// A child that holds a block and does nothing until it is let go.
class Child {
 public:
  Child() {
    std::array<int, 2> ready{};
    EXPECT_EQ(::pipe(pipe_.data()), 0);
    EXPECT_EQ(::pipe(ready.data()), 0);
    pid_ = ::fork();
    char byte = 'x';
    if (pid_ == 0) {
      ::close(pipe_[1]);
      const Block block;
      if (::write(ready[1], &byte, 1) == 1) {
        [[maybe_unused]] const auto none =
            ::read(pipe_[0], &byte, 1);  // until the parent closes it
      }
      ::_exit(0);
    }
    EXPECT_EQ(::read(ready[0], &byte, 1), 1);
    for (const int descriptor : {pipe_[0], ready[0], ready[1]}) ::close(descriptor);
  }
  ~Child() { end(); }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  void end() {
    if (pid_ <= 0) return;
    ::close(pipe_[1]);
    ::waitpid(pid_, nullptr, 0);
    pid_ = 0;
  }
  [[nodiscard]] pid_t pid() const { return pid_; }

 private:
  std::array<int, 2> pipe_{};
  pid_t pid_ = 0;
};

std::uint64_t own_clock_ns() {
  timespec time{};
  EXPECT_EQ(::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time), 0);
  return (static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000) +
         static_cast<std::uint64_t>(time.tv_nsec);
}

TEST(ServerProbe, CpuIsExact) {
  const std::uint64_t before = own_clock_ns();
  const std::uint64_t used = own_usage(false).cpu_ns;
  EXPECT_GE(used, before);
  EXPECT_LE(used, own_clock_ns());
}

TEST(ServerProbe, SinceNeverGoesBelowZero) {
  const ServerUsage earlier{.cpu_ns = 10,
                            .user_ns = 10,
                            .system_ns = 10,
                            .voluntary_switches = 10,
                            .involuntary_switches = 10,
                            .rss_bytes = 10};
  const ServerUsage used = ServerUsage{.cpu_ns = 12, .user_ns = 9, .rss_bytes = 7}.since(earlier);
  EXPECT_EQ(used.cpu_ns, 2U);
  EXPECT_EQ(used.user_ns, 0U);
  EXPECT_EQ(used.system_ns, 0U);
  EXPECT_EQ(used.voluntary_switches, 0U);
  EXPECT_EQ(used.involuntary_switches, 0U);
  EXPECT_EQ(used.rss_bytes, 7U);
}

TEST(ServerProbe, CpuGrows) {
  const ServerUsage before = own_usage(false);
  burn(30'000'000);
  const ServerUsage used = own_usage(false).since(before);
  EXPECT_GE(used.cpu_ns, 30'000'000U);
  EXPECT_GT(used.user_ns + used.system_ns, 0U);
  EXPECT_LE(used.user_ns + used.system_ns, used.cpu_ns + 40'000'000);  // steps of 10 ms
}

TEST(ServerProbe, CpuOfEndedThreadsStays) {
  const ServerUsage before = own_usage(false);
  std::thread(burn, 30'000'000).join();
  EXPECT_GE(own_usage(false).since(before).cpu_ns, 30'000'000U);
}

TEST(ServerProbe, SwitchesOfAllThreads) {
  const ServerUsage before = own_usage(false);
  std::array<int, 2> pipe{};
  ASSERT_EQ(::pipe(pipe.data()), 0);
  std::array<int, 2> back{};
  ASSERT_EQ(::pipe(back.data()), 0);
  std::uint64_t seen = 0;
  std::thread other([&] {
    char byte = 0;
    while (::read(pipe[0], &byte, 1) == 1) {
      if (::write(back[1], &byte, 1) != 1) return;
    }
  });
  char byte = 'x';
  for (int i = 0; i < 200; ++i) {
    ASSERT_EQ(::write(pipe[1], &byte, 1), 1);
    ASSERT_EQ(::read(back[0], &byte, 1), 1);
  }
  seen = own_usage(false).since(before).voluntary_switches;
  ::close(pipe[1]);
  other.join();
  for (const int descriptor : {pipe[0], back[0], back[1]}) ::close(descriptor);
  EXPECT_GE(seen, 100U);  // each round trip lets one of the two sleep
}

TEST(ServerProbe, Memory) {
  const ServerUsage rough = own_usage(false);
  EXPECT_GT(rough.rss_bytes, 100'000U);
  EXPECT_EQ(rough.pss_bytes, 0U);
  const ServerUsage exact = own_usage(true);
  EXPECT_GT(exact.rss_bytes, 100'000U);
  EXPECT_LE(exact.pss_bytes, exact.rss_bytes);
  const Block more;
  EXPECT_GE(own_usage(true).rss_bytes, exact.rss_bytes + kNoise);
  EXPECT_GE(own_usage(false).rss_bytes, rough.rss_bytes + kNoise);
}

TEST(ServerProbe, ChildrenAreIncluded) {
  const ServerUsage alone = own_usage(true);
  const Child child;
  EXPECT_GE(own_usage(true).rss_bytes, alone.rss_bytes + kNoise);
  // Named twice, as parent and as child, it counts once.
  EXPECT_LT(ServerProbe({::getpid(), child.pid()}).usage(true).rss_bytes,
            own_usage(true).rss_bytes + kNoise);
}

TEST(ServerProbe, GoneProcesses) {
  Child child;
  const ServerProbe probe({child.pid()});
  const ServerUsage before = probe.usage(true);
  EXPECT_GT(before.rss_bytes, 0U);
  child.end();
  const ServerUsage after = probe.usage(true);
  EXPECT_EQ(after.cpu_ns, 0U);
  EXPECT_EQ(after.rss_bytes, 0U);
  EXPECT_TRUE(ServerProbe({}).is_empty());
  EXPECT_EQ(ServerProbe({}).usage(true).rss_bytes, 0U);
}

TEST(ServerProbe, KernelMemory) {
  const KernelMemory memory = kernel_memory(false);
  EXPECT_GT(memory.slab_bytes, 0U);
}

// A systemctl of the test's own in PATH, which says what it was asked.
class MainPid : public testing::Test {
 protected:
  void SetUp() override {
    path_ = std::getenv("PATH");
    ::setenv("PATH", (folder_.path() + ":" + path_).c_str(), 1);
  }
  void TearDown() override { ::setenv("PATH", path_.c_str(), 1); }
  void answer_with(const std::string& commands) const {
    folder_.write("systemctl",
                  "#!/bin/sh\nfor word; do echo \"$word\"; done > '" + folder_.path("asked") +
                      "'\n" + commands + "\n",
                  0700);
  }
  [[nodiscard]] std::string asked() const {
    std::ifstream file(folder_.path("asked"));
    return {std::istreambuf_iterator<char>(file), {}};
  }

  const TemporaryFolder folder_;
  std::string path_;
};

TEST_F(MainPid, IsAsked) {
  answer_with("echo 4711");
  const auto pid = ServerProbe::main_pid("tocsin@a\\x2db.service");
  ASSERT_TRUE(pid) << pid.error();
  EXPECT_EQ(*pid, 4711);
  EXPECT_EQ(asked(), "show\n--property\nMainPID\n--value\n--\ntocsin@a\\x2db.service\n");
}

TEST_F(MainPid, BadNamesAreNotEvenAsked) {
  answer_with("echo 4711");
  for (const char* name : {"", "--user", "-a", "--root=/", "a b", "a;b", "$(id)", "`id`", "to*",
                           "a?", "[a]", "a\nb", "a/b", "a|b", "a&b"}) {
    const auto pid = ServerProbe::main_pid(name);
    ASSERT_FALSE(pid) << name;
    EXPECT_THAT(pid.error(), HasSubstr("no name of a systemd unit"));
  }
  EXPECT_FALSE(ServerProbe::main_pid(std::string(256, 'a')));
  EXPECT_EQ(asked(), "");
}

TEST_F(MainPid, NotRunning) {
  answer_with("echo 0");
  const auto pid = ServerProbe::main_pid("tocsin.service");
  ASSERT_FALSE(pid);
  EXPECT_THAT(pid.error(), HasSubstr("tocsin.service has no main process"));
}

TEST_F(MainPid, Failures) {
  answer_with("echo 'no bus here' >&2; exit 1");
  EXPECT_EQ(ServerProbe::main_pid("a").error(), "systemctl show a: no bus here");
  answer_with("echo 12x");
  EXPECT_THAT(ServerProbe::main_pid("a").error(), HasSubstr("'12x' is no process"));
  answer_with("");
  EXPECT_THAT(ServerProbe::main_pid("a").error(), HasSubstr("is no process"));
  ::setenv("PATH", "/nonexistent", 1);
  EXPECT_THAT(ServerProbe::main_pid("a").error(), HasSubstr("systemctl: No such file"));
}

}  // namespace
}  // namespace tocsin::load
