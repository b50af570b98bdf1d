#include "tools/load/publishers/publish_plan.h"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/tools/load/publishers/publisher_bench.h"

namespace tocsin::load {
namespace {

TEST(PublishPlan, ABatchGoesWhenItIsFullOrHasWaitedTenMilliseconds) {
  Planned planned;
  planned.options.publish.schedule.events_per_s = 1000;
  planned.options.publish.batch = 20;
  planned.start();
  EXPECT_EQ(planned.next(0), 0U);
  EXPECT_EQ(planned.wake_ns, Planned::kStart + Planned::kMs);
  EXPECT_EQ(planned.next(9'900'000), 0U);
  EXPECT_EQ(planned.wake_ns, Planned::kStart + 10 * Planned::kMs);
  EXPECT_EQ(planned.next(10 * Planned::kMs), 11U);
  EXPECT_EQ(planned.last[3].due_ns, Planned::kStart + 3 * Planned::kMs);
  // After a delay all that is due goes at once, in full batches first.
  EXPECT_EQ(planned.next(60 * Planned::kMs), 20U);
  EXPECT_EQ(planned.next(60 * Planned::kMs), 20U);
  EXPECT_EQ(planned.next(60 * Planned::kMs), 0U);
  EXPECT_EQ(planned.last.size(), 0U);
  EXPECT_EQ(planned.next(70 * Planned::kMs), 20U);
}

TEST(PublishPlan, BatchesOfAScheduleAreGroupedByTopic) {
  Planned planned;
  planned.options.publish.schedule.events_per_s = 1000;
  planned.options.publish.batch = 4;
  planned.options.publish.events = 10;
  planned.options.workload.topics = 3;
  planned.start();
  std::vector<std::size_t> sizes;
  while (planned.next(100 * Planned::kMs) > 0) {
    sizes.push_back(planned.last.size());
    for (const PlannedEvent& event : planned.last) EXPECT_EQ(event.lane, planned.last[0].lane);
  }
  EXPECT_THAT(sizes, ::testing::ElementsAre(4, 3, 3));  // 0 to 9 in turn; the end waits for nothing
  EXPECT_TRUE(planned.plan->is_over(Planned::kStart + 100 * Planned::kMs));
}

TEST(PublishPlan, WhatCouldNotBeWrittenIsCounted) {
  Planned planned;
  planned.options.publish.schedule.events_per_s = 1000;
  planned.options.publish.duration_s = 1;
  planned.start();
  for (int i = 0; i < 10; ++i) EXPECT_EQ(planned.next(1900 * Planned::kMs), 1U);
  EXPECT_FALSE(planned.plan->is_over(Planned::kStart + 1900 * Planned::kMs));
  EXPECT_EQ(planned.next(2000 * Planned::kMs), 0U);
  EXPECT_TRUE(planned.plan->is_over(Planned::kStart + 2000 * Planned::kMs));
  EXPECT_EQ(planned.plan->unwritten(), 990U);
}

TEST(PublishPlan, TopicsKeepTheirPopularityOverSeveralConnections) {
  Planned planned;
  planned.options.publish.schedule.events_per_s = 60'000;
  planned.options.publish.connections = 3;
  planned.options.workload.topics = 3;
  planned.options.workload.zipf = 1;  // weights 1, 1/2, 1/3
  planned.start();
  std::vector<int> events(3);
  for (std::uint32_t c = 0; c < 3; ++c) {
    while (planned.next(999'999'999, c) > 0) ++events[planned.last[0].lane];
  }
  EXPECT_NEAR(events[0], 32'727, 2);
  EXPECT_NEAR(events[1], 16'364, 2);
  EXPECT_NEAR(events[2], 10'909, 2);
}

TEST(PublishPlan, EachWaitsForTheAnswerAndTheDeliveriesUnlessItWasRefused) {
  Planned planned;
  planned.options.publish.mode = PublishMode::each;
  planned.start();
  EXPECT_EQ(planned.next(0), 1U);
  planned.answers.outstanding = 1;
  planned.delivered = 2;
  EXPECT_EQ(planned.next(1), 0U);
  planned.answers.outstanding = 0;
  EXPECT_EQ(planned.next(2), 1U);
  planned.delivered = 3;
  EXPECT_EQ(planned.next(3), 0U);
  EXPECT_EQ(planned.wake_ns, Planned::kStart + 3 + PublishPlan::kMinPauseNs);
  planned.answers.refused = 1;
  EXPECT_EQ(planned.next(4), 1U);
  EXPECT_EQ(planned.next(9'999 * Planned::kMs), 0U);
  EXPECT_EQ(planned.plan->timeouts(), 0U);
  EXPECT_EQ(planned.next(10'001 * Planned::kMs), 1U);
  EXPECT_EQ(planned.plan->timeouts(), 1U);
  // One that arrives in between makes the next wait the first one again.
  planned.delivered = 5;
  EXPECT_EQ(planned.next(10'002 * Planned::kMs), 1U);
  EXPECT_EQ(planned.next(20'003 * Planned::kMs), 1U);
  EXPECT_EQ(planned.plan->gave_up(), "");
  EXPECT_FALSE(planned.plan->is_over(Planned::kStart + 20'003 * Planned::kMs));
  EXPECT_EQ(planned.next(30'004 * Planned::kMs), 0U);
  EXPECT_EQ(planned.plan->timeouts(), 3U);
  EXPECT_NE(planned.plan->gave_up(), "");
  EXPECT_TRUE(planned.plan->is_over(Planned::kStart + 30'004 * Planned::kMs));
}

TEST(PublishPlan, FullSpeedKeepsAtMostSoFarAheadOfTheMeanDelivered) {
  Planned planned;
  planned.options.publish.mode = PublishMode::full;
  planned.options.publish.ahead = 10;
  planned.options.publish.batch = 4;
  planned.delivered = 1000;  // before: of a history
  planned.start();
  EXPECT_EQ(planned.next(0), 4U);
  EXPECT_EQ(planned.next(0), 4U);
  EXPECT_EQ(planned.next(0), 2U);
  EXPECT_EQ(planned.next(0), 0U);
  EXPECT_EQ(planned.wake_ns, Planned::kStart + PublishPlan::kAheadPauseNs);
  planned.delivered += 2 * 3 - 1;  // two subscribers have two and a half events each
  EXPECT_EQ(planned.next(5), 2U);
  EXPECT_EQ(planned.next(5), 0U);
  // Without any delivery for each_timeout_s, what is missing is taken for lost.
  EXPECT_EQ(planned.next(9'999 * Planned::kMs), 0U);
  EXPECT_EQ(planned.next(10'001 * Planned::kMs), 0U);
  EXPECT_EQ(planned.next(10'002 * Planned::kMs), 4U);
  // What comes after all makes the next wait the first one again.
  planned.delivered += 8;
  EXPECT_EQ(planned.next(10'003 * Planned::kMs), 4U);
  while (planned.next(10'003 * Planned::kMs) > 0) {
  }
  EXPECT_EQ(planned.next(20'004 * Planned::kMs), 0U);
  EXPECT_EQ(planned.plan->gave_up(), "");
  EXPECT_EQ(planned.next(20'005 * Planned::kMs), 4U);
  while (planned.next(20'005 * Planned::kMs) > 0) {
  }
  EXPECT_EQ(planned.next(30'006 * Planned::kMs), 0U);
  EXPECT_NE(planned.plan->gave_up(), "");
  EXPECT_TRUE(planned.plan->is_over(Planned::kStart + 30'006 * Planned::kMs));
}

}  // namespace
}  // namespace tocsin::load
