#include "tools/demo/stream_notices.h"

#include <gtest/gtest.h>

namespace tocsin::demo {
namespace {

TEST(StreamNotices, SayWhatIsNewAndThenNothing) {
  StreamNotices notices;
  EXPECT_EQ(notices.next(), std::nullopt);
  notices.opened();
  EXPECT_EQ(notices.next(), "1 stream opened; 1 is open");
  EXPECT_EQ(notices.next(), std::nullopt);
  notices.opened();
  notices.opened();
  notices.closed();
  EXPECT_EQ(notices.next(), "2 streams opened, 1 closed; 2 are open");
  notices.closed();
  notices.closed();
  EXPECT_EQ(notices.next(), "2 streams closed; 0 are open");
}

}  // namespace
}  // namespace tocsin::demo
