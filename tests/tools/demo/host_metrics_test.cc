#include "tools/demo/host_metrics.h"

#include <gtest/gtest.h>

namespace tocsin::demo {
namespace {

using std::chrono::seconds;
using std::chrono::steady_clock;

TEST(HostMetrics, ReadsWhatTheKernelWrites) {
  HostSample sample;
  sample.read_stat("cpu  10 1 20 100 30 2 3 4 7 0\ncpu0 10 1 20 100 30 2 3 4 7 0\nintr 5\n");
  EXPECT_EQ(sample.cpu_all_ticks, 170U);
  EXPECT_EQ(sample.cpu_busy_ticks, 40U);
  sample.read_meminfo("MemTotal:       1000 kB\nMemFree:  10 kB\nMemAvailable:    400 kB\n");
  EXPECT_EQ(sample.memory_total_bytes, 1000U * 1024);
  EXPECT_EQ(sample.memory_available_bytes, 400U * 1024);
  sample.read_loadavg("0.75 0.50 0.25 1/200 4711\n");
  EXPECT_EQ(sample.load1, 0.75);
  sample.read_net_dev(
      "Inter-|   Receive                                                |  Transmit\n"
      " face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs\n"
      "    lo:     500       5    0    0    0     0          0         0      500       5    0\n"
      "  eth0:    1000      10    0    0    0     0          0         0       70       7    0\n"
      "wlan0:2000      10    0    0    0     0          0         0       30       7    0\n");
  EXPECT_EQ(sample.loopback_bytes, 500U);
  EXPECT_EQ(sample.received_bytes, 3000U);
  EXPECT_EQ(sample.sent_bytes, 100U);
}

TEST(HostMetrics, AFileThatCannotBeReadChangesNothing) {
  HostSample sample;
  sample.read_stat("cpu  1 2\n");
  sample.read_stat("");
  sample.read_meminfo("MemTotal:\n");
  sample.read_loadavg("");
  sample.read_net_dev("lo: 1\n");
  EXPECT_EQ(sample.cpu_all_ticks, 0U);
  EXPECT_EQ(sample.memory_total_bytes, 0U);
}

TEST(HostMetrics, RatesAreOfTheTimeBetween) {
  const HostSample before{.taken = steady_clock::time_point(seconds(10)),
                          .cpu_busy_ticks = 100,
                          .cpu_all_ticks = 1000,
                          .received_bytes = 5000,
                          .sent_bytes = 1000,
                          .loopback_bytes = 0};
  HostSample now = before;
  now.taken += seconds(2);
  EXPECT_FALSE(rates(before, now)) << "the clock ticks of the processor are coarser";
  now.cpu_busy_ticks += 50;
  now.cpu_all_ticks += 400;
  now.received_bytes += 300;
  now.sent_bytes = 10;  // an interface has gone
  now.loopback_bytes += 8;
  const auto between = rates(before, now);
  ASSERT_TRUE(between);
  EXPECT_EQ(between->cpu_percent, 12.5);
  EXPECT_EQ(between->received_bytes_per_s, 150);
  EXPECT_EQ(between->sent_bytes_per_s, 0);
  EXPECT_EQ(between->loopback_bytes_per_s, 4);
  EXPECT_FALSE(rates(now, now));
}

TEST(HostMetrics, OfThisMachineAreReal) {
  const HostSample sample = sample_host();
  EXPECT_GT(sample.cpu_all_ticks, sample.cpu_busy_ticks);
  EXPECT_GT(sample.cpu_busy_ticks, 0U);
  EXPECT_GT(sample.memory_total_bytes, sample.memory_available_bytes);
  EXPECT_GT(sample.memory_available_bytes, 0U);
}

}  // namespace
}  // namespace tocsin::demo
