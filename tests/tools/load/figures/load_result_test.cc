#include "tools/load/figures/load_result.h"

#include <gtest/gtest.h>

namespace tocsin::load {
namespace {

TEST(LoadResult, TotalsAreMerged) {
  CheckTotals totals;
  CheckTotals other{.delivered = 1,
                    .bytes = 2,
                    .lost = 3,
                    .told = 4,
                    .duplicated = 5,
                    .reordered = 6,
                    .corrupted = 7,
                    .foreign = 8,
                    .typed = 9,
                    .comments = 10,
                    .sample = "first"};
  totals.merge(other);
  other.sample = "second";
  totals.merge(other);
  EXPECT_EQ(totals.delivered, 2U);
  EXPECT_EQ(totals.bytes, 4U);
  EXPECT_EQ(totals.lost, 6U);
  EXPECT_EQ(totals.told, 8U);
  EXPECT_EQ(totals.duplicated, 10U);
  EXPECT_EQ(totals.reordered, 12U);
  EXPECT_EQ(totals.corrupted, 14U);
  EXPECT_EQ(totals.foreign, 16U);
  EXPECT_EQ(totals.typed, 18U);
  EXPECT_EQ(totals.comments, 20U);
  EXPECT_EQ(totals.sample, "first");
}

TEST(LoadResult, NothingIsDerivedFromNothing) {
  const LoadResult result;
  EXPECT_FALSE(result.connects_per_s());
  EXPECT_FALSE(result.reconnects_per_s());
  EXPECT_FALSE(result.events_per_s());
  EXPECT_FALSE(result.deliveries_per_s());
  EXPECT_FALSE(result.cpu_ns_per_delivery());
  EXPECT_FALSE(result.cpu_ns_per_connect());
  EXPECT_FALSE(result.rss_bytes_each());
  EXPECT_FALSE(result.pss_bytes_each());
  EXPECT_FALSE(result.kernel_bytes_each());
  EXPECT_FALSE(result.socket_bytes_each());
  EXPECT_EQ(result.publish.server_cores(), 0);
  EXPECT_EQ(result.publish.own_cores(), 0);
}

TEST(LoadResult, DerivedFigures) {
  LoadResult result;
  result.connect_count = 1000;
  result.connect.wall_ns = 500'000'000;
  result.connect.server.cpu_ns = 10'000'000;
  result.reconnect_count = 100;
  result.reconnect.wall_ns = 200'000'000;
  result.published.events = 50;
  result.published.duration_ns = 2'000'000'000;
  result.totals.delivered = 50'000;
  result.publish.wall_ns = 2'500'000'000;
  result.publish.server.cpu_ns = 1'000'000'000;
  result.publish.own_cpu_ns = 5'000'000'000;
  result.before.server = {.rss_bytes = 1'000'000, .pss_bytes = 900'000};
  result.after.server = {.rss_bytes = 1'083'000, .pss_bytes = 950'000};
  result.before.kernel.slab_bytes = 5'000'000;
  result.after.kernel = {.slab_bytes = 4'000'000, .socket_bytes = 8'192'000, .caches = {}};

  EXPECT_DOUBLE_EQ(result.connects_per_s().value_or(0), 2000);
  EXPECT_DOUBLE_EQ(result.reconnects_per_s().value_or(0), 500);
  EXPECT_DOUBLE_EQ(result.events_per_s().value_or(0), 25);
  EXPECT_DOUBLE_EQ(result.deliveries_per_s().value_or(0), 20'000);
  EXPECT_DOUBLE_EQ(result.cpu_ns_per_delivery().value_or(0), 20'000);
  EXPECT_DOUBLE_EQ(result.cpu_ns_per_connect().value_or(0), 10'000);
  EXPECT_DOUBLE_EQ(result.rss_bytes_each().value_or(0), 83);
  EXPECT_DOUBLE_EQ(result.pss_bytes_each().value_or(0), 50);
  EXPECT_DOUBLE_EQ(result.kernel_bytes_each().value_or(0), -1000);  // it shrank
  EXPECT_DOUBLE_EQ(result.socket_bytes_each().value_or(0), 8192);
  EXPECT_DOUBLE_EQ(result.publish.server_cores(), 0.4);
  EXPECT_DOUBLE_EQ(result.publish.own_cores(), 2);
}

}  // namespace
}  // namespace tocsin::load
