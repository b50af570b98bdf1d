#include "net/base/process_metrics.h"

#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <latch>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "net/base/descriptor_table.h"

namespace tocsin::net {
namespace {

double seconds_since_1970() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

TEST(ProcessMetrics, AgreeWithTheKernel) {
  const ProcessMetrics before = read_process_metrics();
  ASSERT_TRUE(before.start_time_seconds && before.resident_bytes && before.virtual_bytes);
  EXPECT_LE(*before.start_time_seconds, seconds_since_1970() + 1);
  EXPECT_GT(*before.start_time_seconds, seconds_since_1970() - 24 * 3600);
  EXPECT_GT(*before.resident_bytes, 1U << 20);
  EXPECT_LT(*before.resident_bytes, *before.virtual_bytes);
  rlimit limit{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &limit), 0);
  if (limit.rlim_cur != RLIM_INFINITY) {
    EXPECT_EQ(before.max_descriptors, limit.rlim_cur);
  }
  double cpu = before.cpu_seconds;
  EXPECT_GT(cpu, 0);
  for (int i = 0; i < 1'000'000 && cpu == before.cpu_seconds; ++i) {
    cpu = read_process_metrics().cpu_seconds;
  }
  EXPECT_GT(cpu, before.cpu_seconds);
}

// As a shard has one. The limit is for each table, so the fullest counts and not the sum.
TEST(ProcessMetrics, DescriptorsAreThoseOfTheFullestTable) {
  if (!kOwnDescriptorTables) GTEST_SKIP() << "one descriptor table for all threads";
  constexpr std::uint64_t kMany = 200;
  const ProcessMetrics before = read_process_metrics();
  if (!before.open_descriptors) GTEST_SKIP() << "the kernel is older than 6.2";
  std::latch opened(1);
  std::latch seen(1);
  std::thread other([&] {
    ASSERT_EQ(::unshare(CLONE_FILES), 0);
    std::vector<int> copies;
    for (std::uint64_t i = 0; i < kMany; ++i) copies.push_back(::dup(0));
    opened.count_down();
    seen.wait();
    for (const int fd : copies) ::close(fd);
  });
  opened.wait();
  const ProcessMetrics during = read_process_metrics();
  seen.count_down();
  other.join();
  EXPECT_EQ(during.threads, before.threads + 1);
  ASSERT_TRUE(during.open_descriptors);
  EXPECT_GE(*during.open_descriptors, kMany);
  EXPECT_LE(*during.open_descriptors, *before.open_descriptors + kMany);
}

}  // namespace
}  // namespace tocsin::net
