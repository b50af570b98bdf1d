#include "tools/demo/dashboard.h"

#include <gmock/gmock.h>

#include "tests/net/support/own_port.h"

namespace tocsin::demo {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(Dashboard, LeavesOutAHubThatDoesNotAnswer) {
  const net::OwnPort port;
  Dashboard dashboard(port.address());
  const std::string figures = dashboard.next();
  EXPECT_THAT(figures, HasSubstr(R"("memory_total_bytes":)"));
  EXPECT_THAT(figures, HasSubstr(R"("load1":)"));
  EXPECT_THAT(figures, Not(HasSubstr("hub_")));
  EXPECT_EQ(figures.front(), '{');
  EXPECT_EQ(figures.back(), '}');
}

}  // namespace
}  // namespace tocsin::demo
