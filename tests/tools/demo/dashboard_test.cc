#include "tools/demo/dashboard.h"

#include <gmock/gmock.h>

namespace tocsin::demo {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr std::string_view kPage =
    "# HELP tocsin_connections Open connections\n"
    "# TYPE tocsin_connections gauge\n"
    "tocsin_connections{shard=\"0\",state=\"request\"} 7\n"
    "tocsin_connections{shard=\"0\",state=\"stream\"} 3\n"
    "tocsin_connections{shard=\"0\",state=\"stream_blocked\"} 1\n"
    "tocsin_connections{shard=\"1\",state=\"stream\"} 2\n"
    "tocsin_connections_more 100\n"
    "tocsin_deliveries_total 1e+06";

TEST(Dashboard, AddsUpTheShards) {
  EXPECT_EQ(sum_of(kPage, "tocsin_connections", R"(state="stream")"), 5);
  EXPECT_EQ(sum_of(kPage, "tocsin_connections"), 13);
  EXPECT_EQ(sum_of(kPage, "tocsin_deliveries_total"), 1e6);
  EXPECT_EQ(sum_of(kPage, "tocsin_nothing"), std::nullopt);
  EXPECT_EQ(sum_of("", "tocsin_connections"), std::nullopt);
}

TEST(Dashboard, LeavesOutAHubThatDoesNotAnswer) {
  Dashboard dashboard("127.0.0.1:1");  // nobody listens on a port of the system
  const std::string figures = dashboard.next();
  EXPECT_THAT(figures, HasSubstr(R"("memory_total_bytes":)"));
  EXPECT_THAT(figures, HasSubstr(R"("load1":)"));
  EXPECT_THAT(figures, Not(HasSubstr("hub_")));
  EXPECT_EQ(figures.front(), '{');
  EXPECT_EQ(figures.back(), '}');
}

}  // namespace
}  // namespace tocsin::demo
