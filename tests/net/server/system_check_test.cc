#include "net/server/system_check.h"

#include <sched.h>
#include <sys/resource.h>

#include <algorithm>
#include <string>
#include <thread>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "net/base/cores.h"
#include "proto/limits.h"
#include "tests/net/support/temporary_folder.h"

namespace tocsin::net {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// A tree of /proc and /sys in which everything is high enough for a million streams.
class SystemCheck : public testing::Test {
 protected:
  SystemCheck() {
    set_descriptors("1024", "2200000");
    set("proc/meminfo", "MemTotal: 25000000 kB\nMemFree: 1 kB\nMemAvailable:   24000000 kB\n");
    set("proc/self/cgroup", "0::/system.slice/tocsin.service\n");
    set("proc/sys/fs/nr_open", "2200000\n");
    set("proc/sys/fs/file-max", "9223372036854775807\n");
    set("proc/sys/net/core/somaxconn", "65535\n");
    set("proc/sys/net/ipv4/tcp_max_syn_backlog", "65536\n");
    set("proc/sys/net/ipv4/tcp_mem", "1000000\t2000000\t3000000\n");
    set("proc/sys/net/ipv4/tcp_ehash_entries", "524288\n");
    set("proc/sys/kernel/io_uring_disabled", "0\n");
  }

  void set(const std::string& path, const std::string& text) const {
    root_.write(path, text);
  }
  void set_descriptors(const std::string& soft, const std::string& hard) const {
    set("proc/self/limits",
        fmt::format(
            "Limit                     Soft Limit           Hard Limit           Units\n"
            "Max processes             10                   10                   processes\n"
            "Max open files            {:<20} {:<20} files\n",
            soft, hard));
  }
  [[nodiscard]] std::vector<Finding> check(std::uint32_t shards = 2) const {
    return check_system(options_, demand_, shards, root_.path());
  }
  // The only finding; fails the test if there is another number of them.
  [[nodiscard]] Finding only() const {
    const auto findings = check();
    EXPECT_EQ(findings.size(), 1U);
    return findings.empty() ? Finding{} : findings.front();
  }

  const TemporaryFolder root_;
  ServerOptions options_;
  Demand demand_{.streams = 1'000'000};
};

TEST_F(SystemCheck, AMachineThatIsSetUpHasNoFindings) {
  EXPECT_THAT(check(), IsEmpty());
}

TEST_F(SystemCheck, AnEmptyTreeIsNotJudged) {
  EXPECT_THAT(check_system(options_, demand_, 2, root_.path("nowhere")), IsEmpty());
}

TEST_F(SystemCheck, DescriptorsAreCountedPerShardAgainstTheHardLimit) {
  // 500,000 streams a shard and a tenth, 8,192 requests, 256 of the process' own.
  EXPECT_EQ(descriptors_per_shard(1'000'000, 2), 558'448U);
  set_descriptors("1024", "558448");
  EXPECT_THAT(check(), IsEmpty());
  set_descriptors("558448", "558447");
  const Finding finding = only();
  EXPECT_EQ(finding.name, "RLIMIT_NOFILE");
  EXPECT_EQ(finding.current, 558'447U);
  EXPECT_EQ(finding.needed, 558'448U);
  EXPECT_THAT(finding.fix, HasSubstr("LimitNOFILE=558448"));
  set_descriptors("unlimited", "unlimited");
  EXPECT_THAT(check(), IsEmpty());
}

TEST_F(SystemCheck, TheShareOfAShardIsRoundedUp) {
  EXPECT_EQ(descriptors_per_shard(10, 3), 4U + 1 + 64 + 256);
}

TEST_F(SystemCheck, SystemWideFiles) {
  set("proc/sys/fs/file-max", "1116895\n");
  EXPECT_EQ(only().name, "fs.file-max");
  EXPECT_EQ(only().needed, 2 * 558'448U);
  set("proc/sys/fs/file-max", "1116896\n");
  set("proc/sys/fs/nr_open", "558447\n");
  EXPECT_EQ(only().name, "fs.nr_open");
}

TEST_F(SystemCheck, ListeningQueues) {
  set("proc/sys/net/core/somaxconn", "4095\n");
  EXPECT_EQ(only().text(),
            "net.core.somaxconn is 4095, needs 4096: it cuts the listening queues, and a "
            "reconnecting crowd then waits for TCP's retransmission; sysctl -w "
            "net.core.somaxconn=4096");
  set("proc/sys/net/core/somaxconn", "4096\n");
  set("proc/sys/net/ipv4/tcp_max_syn_backlog", "4096\n");
  EXPECT_EQ(only().name, "net.ipv4.tcp_max_syn_backlog");
}

TEST_F(SystemCheck, TcpMemoryIsJudgedByItsPressureMark) {
  set("proc/sys/net/ipv4/tcp_mem", "286722\t382296\t573444\n");
  const Finding finding = only();
  EXPECT_EQ(finding.current, 382'296U);
  EXPECT_EQ(finding.needed, 1'000'000U);
  EXPECT_THAT(finding.fix, HasSubstr("tcp_mem=\"1000000 2000000 3000000\""));
  demand_.streams = 100'000;
  EXPECT_THAT(check(), IsEmpty());
}

TEST_F(SystemCheck, TheTableOfSocketsIsJudgedByTwoSocketsABucket) {
  for (const char* entries : {"262144\n", "-262144\n"}) {
    set("proc/sys/net/ipv4/tcp_ehash_entries", entries);
    const Finding finding = only();
    EXPECT_EQ(finding.name, "net.ipv4.tcp_ehash_entries");
    EXPECT_EQ(finding.current, 262'144U);
    EXPECT_EQ(finding.needed, 524'288U);
    EXPECT_THAT(finding.fix, HasSubstr("thash_entries=524288"));
  }
  demand_.streams = 500'000;
  EXPECT_THAT(check(), IsEmpty());
}

TEST_F(SystemCheck, AConnectionTrackerOnlyCountsIfItIsLoaded) {
  set("proc/sys/net/netfilter/nf_conntrack_max", "262144\n");
  EXPECT_EQ(only().name, "net.netfilter.nf_conntrack_max");
  EXPECT_EQ(only().needed, 1'100'000U);
}

TEST_F(SystemCheck, ForbiddenUringMattersUnlessEpollWasChosen) {
  set("proc/sys/kernel/io_uring_disabled", "2\n");
  EXPECT_EQ(only().name, "kernel.io_uring_disabled");
  EXPECT_THAT(only().why, HasSubstr("switched off"));
  set("proc/sys/kernel/io_uring_disabled", "1\n");
  EXPECT_THAT(only().why, HasSubstr("privileged"));
  options_.io = IoChoice::epoll;
  EXPECT_THAT(check(), IsEmpty());
}

TEST_F(SystemCheck, MemoryOfTheMachine) {
  // 1,000,000 x 6 KiB + 256 MiB of history.
  set("proc/meminfo", "MemAvailable: 6262143 kB\n");
  EXPECT_EQ(only().name, "available memory (bytes)");
  EXPECT_EQ(only().needed, 6'262'144ULL * 1024);
  set("proc/meminfo", "MemAvailable: 6262144 kB\n");
  EXPECT_THAT(check(), IsEmpty());
  // Streams that are open have theirs.
  set("proc/meminfo", "MemAvailable: 3262144 kB\n");
  demand_.open = 500'000;
  EXPECT_THAT(check(), IsEmpty());
  demand_.open = 499'999;
  EXPECT_EQ(only().name, "available memory (bytes)");
}

TEST_F(SystemCheck, MemoryOfTheControlGroupAndItsParents) {
  set("sys/fs/cgroup/system.slice/tocsin.service/memory.max", "max\n");
  EXPECT_THAT(check(), IsEmpty());
  set("sys/fs/cgroup/system.slice/memory.max", "1073741824\n");
  const Finding finding = only();
  EXPECT_EQ(finding.name, "memory.max of the control group (bytes)");
  EXPECT_EQ(finding.current, 1'073'741'824U);
  demand_.open = 999'999;
  EXPECT_EQ(only().needed, 6'262'144ULL * 1024) << "its limit is for all of them";
}

TEST_F(SystemCheck, EverythingThatIsTooLowIsNamedAtOnce) {
  set_descriptors("1024", "4096");
  set("proc/sys/net/core/somaxconn", "128\n");
  set("proc/sys/kernel/io_uring_disabled", "2\n");
  std::vector<std::string> names;
  for (const Finding& finding : check()) {
    names.push_back(finding.name);
  }
  EXPECT_THAT(names,
              ElementsAre("RLIMIT_NOFILE", "net.core.somaxconn", "kernel.io_uring_disabled"));
}

TEST_F(SystemCheck, TheRealTreeCanBeRead) {
  options_.history_total_bytes = 1;
  for (const Finding& finding : check_system(options_, {.streams = 1}, 1)) {
    EXPECT_LT(finding.current, finding.needed == 0 ? UINT64_MAX : finding.needed);
  }
  EXPECT_FALSE(check_system(options_, {.streams = 1U << 30}, 1).empty())
      << "no machine carries a thousand million";
}

TEST(DescriptorLimit, SoftBecomesHard) {
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  rlimit lower = before;
  lower.rlim_cur = std::min<rlim_t>(before.rlim_max, 64);
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &lower), 0);
  const auto raised = raise_descriptor_limit();
  rlimit after{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &after), 0);
  ::setrlimit(RLIMIT_NOFILE, &before);
  ASSERT_TRUE(raised);
  EXPECT_EQ(*raised, before.rlim_max);
  EXPECT_EQ(after.rlim_cur, before.rlim_max);
}

TEST(AllowedCores, AreThoseOfTheAffinityMask) {
  const std::vector<int> before = allowed_cores();
  ASSERT_FALSE(before.empty());
  EXPECT_EQ(shard_count(0), std::min(before.size(), limits::kMaxShards));
  EXPECT_EQ(shard_count(7), 7U);
  std::thread([&] {
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(static_cast<std::size_t>(before.back()), &one);
    ASSERT_EQ(::sched_setaffinity(0, sizeof one, &one), 0);
    EXPECT_EQ(allowed_cores(), std::vector{before.back()});
    EXPECT_EQ(shard_count(0), 1U);
  }).join();
  EXPECT_EQ(allowed_cores(), before);
}

}  // namespace
}  // namespace tocsin::net
