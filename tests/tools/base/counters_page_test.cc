#include "tools/base/counters_page.h"

#include <gtest/gtest.h>

namespace tocsin::tools {
namespace {

constexpr std::string_view kPage =
    "# HELP tocsin_connections Open connections\n"
    "# TYPE tocsin_connections gauge\n"
    "tocsin_connections{shard=\"0\",state=\"request\"} 7\n"
    "tocsin_connections{shard=\"0\",state=\"stream\"} 3\n"
    "tocsin_connections{shard=\"0\",state=\"stream_blocked\"} 1\n"
    "tocsin_connections{shard=\"1\",state=\"stream\"} 2\n"
    "tocsin_connections_more 100\n"
    "tocsin_deliveries_total 1e+06";

TEST(CountersPage, AddsUpTheShards) {
  EXPECT_EQ(sum_of(kPage, "tocsin_connections", R"(state="stream")"), 5);
  EXPECT_EQ(sum_of(kPage, "tocsin_connections"), 13);
  EXPECT_EQ(sum_of(kPage, "tocsin_deliveries_total"), 1e6);
  EXPECT_EQ(sum_of(kPage, "tocsin_nothing"), std::nullopt);
  EXPECT_EQ(sum_of("", "tocsin_connections"), std::nullopt);
}

}  // namespace
}  // namespace tocsin::tools
