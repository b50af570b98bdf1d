#include "net/state/shared_hub.h"

#include <optional>
#include <string>
#include <utility>

#include <gtest/gtest.h>

namespace tocsin::net {
namespace {

class SharedHubTest : public ::testing::Test {
 protected:
  // Shard 0 reads topic a and has more news than it may be behind.
  void SetUp() override {
    hub_.with([](core::Hub& hub) {
      const std::string_view topic = "a";
      ASSERT_TRUE(hub.subscribe({&topic, 1}, {}, 0, 0).has_value());
    });
    while (hub_.publish({&large_, 1}, 0)) {
    }
  }
  void sweep() {
    hub_.with([](core::Hub& hub) {
      core::Collected collected;
      hub.collect(0, collected);
      hub.swept(0);
    });
  }
  // A batch that waits; what becomes of it is put into `result`.
  void wait(std::optional<PublishResult>& result) {
    hub_.wait({.batch = core::Batch({&small_, 1}),
               .received_ms = 0,
               .done = [&result](PublishResult&& became) { result = std::move(became); }});
  }

  const SteadyClock clock_;
  const std::string body_ = std::string(1'000'000, 'x');
  const core::NewEvent large_{.topic = "a", .id = {}, .body = body_};
  const core::NewEvent small_{.topic = "b", .id = {}, .body = "data: x\n"};
  SharedHub hub_{1, 1, {}, {}};
};

TEST_F(SharedHubTest, NobodyOvertakesWhoWaits) {
  std::optional<PublishResult> first;
  wait(first);
  sweep();
  const auto overtaking = hub_.publish({&small_, 1}, 0);
  ASSERT_FALSE(overtaking.has_value());
  EXPECT_EQ(overtaking.error().why, core::PublishError::busy);
  std::optional<PublishResult> second;
  wait(second);
  EXPECT_FALSE(first || second);
  EXPECT_FALSE(hub_.order_waiting(clock_, UINT64_MAX));
  ASSERT_TRUE(first && second && *first && *second);
  EXPECT_EQ((*second)->first, (*first)->last + 1);
  EXPECT_TRUE(hub_.publish({&small_, 1}, 0).has_value());
}

TEST_F(SharedHubTest, OnlyAsMuchIsOrderedAsTheShardsMayBeBehind) {
  std::optional<PublishResult> result;
  wait(result);
  EXPECT_FALSE(hub_.order_waiting(clock_, UINT64_MAX));
  EXPECT_FALSE(result.has_value());
  sweep();
  EXPECT_TRUE(hub_.order_waiting(clock_, 0)) << "the time is up behind the first";
  EXPECT_TRUE(result.has_value());
}

TEST_F(SharedHubTest, WhoNeedNotWaitAnyMoreIsPublished) {
  sweep();
  std::optional<PublishResult> result;
  wait(result);
  ASSERT_TRUE(result && *result);
}

TEST_F(SharedHubTest, ClosedIsNowhere) {
  std::optional<PublishResult> before;
  wait(before);
  const auto newest = hub_.with([](const core::Hub& hub) { return hub.last_sequence(); });
  hub_.close_waiting();
  std::optional<PublishResult> after;
  wait(after);
  for (const auto& result : {before, after}) {
    ASSERT_TRUE(result && !*result);
    EXPECT_EQ(result->error().reason, PublishFailure::Reason::closed);
  }
  sweep();
  EXPECT_FALSE(hub_.order_waiting(clock_, UINT64_MAX));
  EXPECT_EQ(hub_.with([](const core::Hub& hub) { return hub.last_sequence(); }), newest);
}

}  // namespace
}  // namespace tocsin::net
