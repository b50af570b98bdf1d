#include "tools/load/figures/expectation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tools/load/figures/load_result.h"

namespace tocsin::load {
namespace {

using ::testing::HasSubstr;

std::string failure_of(const std::string& text, const LoadResult& result) {
  const auto expectations = parse_expectations(text);
  if (!expectations) return "cannot be read: " + expectations.error();
  return expectations->front().failure(result);
}

TEST(Expectation, ReadsSeveral) {
  const auto list = parse_expectations("p99<50ms, lost=0,deliveries/s >= 1e6,p99.9<=2s,max>3us");
  ASSERT_TRUE(list) << list.error();
  ASSERT_EQ(list->size(), 5U);
  using Operator = Expectation::Operator;
  EXPECT_EQ((*list)[0].name, "p99");
  EXPECT_EQ((*list)[0].op, Operator::less);
  EXPECT_EQ((*list)[0].value, 50e6);
  EXPECT_EQ((*list)[0].text, "p99<50ms");
  EXPECT_EQ((*list)[1].name, "lost");
  EXPECT_EQ((*list)[1].op, Operator::equal);
  EXPECT_EQ((*list)[1].value, 0);
  EXPECT_EQ((*list)[2].name, "deliveries/s");
  EXPECT_EQ((*list)[2].op, Operator::greater_equal);
  EXPECT_EQ((*list)[2].value, 1e6);
  EXPECT_EQ((*list)[3].op, Operator::less_equal);
  EXPECT_EQ((*list)[3].value, 2e9);
  EXPECT_EQ((*list)[4].op, Operator::greater);
  EXPECT_EQ((*list)[4].value, 3e3);
}

TEST(Expectation, ReadsEveryName) {
  for (const char* text : {"p50<1ns",
                           "mean<1us",
                           "duplicated=0",
                           "reordered=0",
                           "corrupted=0",
                           "refused=0",
                           "dropped=0",
                           "connected=5",
                           "server-streams=5",
                           "told=0",
                           "away=0",
                           "uncertain<3",
                           "outage<5s",
                           "delivered>5",
                           "events/s>5",
                           "connects/s>5",
                           "cpu/delivery<2us",
                           "rss/subscriber<200",
                           "rss/subscriber<1KB",
                           "kernel/subscriber<1MB"}) {
    EXPECT_TRUE(parse_expectations(text)) << text;
  }
}

TEST(Expectation, SaysWhatIsWrong) {
  const auto fault = [](const char* text) {
    const auto list = parse_expectations(text);
    return list ? std::string("no fault") : list.error();
  };
  EXPECT_THAT(fault(""), HasSubstr("an expectation is missing"));
  EXPECT_THAT(fault("p99"), HasSubstr("'p99' lacks one of"));
  EXPECT_THAT(fault("p99<5ms,"), HasSubstr("an expectation is missing"));
  EXPECT_THAT(fault("speed>5"), HasSubstr("'speed' is none of"));
  EXPECT_THAT(fault("p0<5ms"), HasSubstr("'p0' is none of"));
  EXPECT_THAT(fault("p101<5ms"), HasSubstr("'p101' is none of"));
  EXPECT_THAT(fault("pfoo<5ms"), HasSubstr("'pfoo' is none of"));
  EXPECT_THAT(fault("p99<5"), HasSubstr("ns, us, ms, s"));
  EXPECT_THAT(fault("p99<5min"), HasSubstr("ns, us, ms, s"));
  EXPECT_THAT(fault("p99<ms"), HasSubstr("must stand a number"));
  EXPECT_THAT(fault("p99<-5ms"), HasSubstr("0 or more"));
  EXPECT_THAT(fault("p99<nan"), HasSubstr("must stand a number"));
  EXPECT_THAT(fault("p99<1e999ms"), HasSubstr("must stand a number"));
  EXPECT_THAT(fault("p99<<5ms"), HasSubstr("must stand a number"));
  EXPECT_THAT(fault("p99==5ms"), HasSubstr("must stand a number"));
  EXPECT_THAT(fault("lost=0ms"), HasSubstr("a mere number, without 'ms'"));
  EXPECT_THAT(fault("rss/subscriber<5ms"), HasSubstr("B, KB, MB"));
  EXPECT_THAT(fault("cpu/delivery<5"), HasSubstr("ns, us, ms, s"));
}

TEST(Expectation, JudgesLatencies) {
  LoadResult result;
  for (int i = 0; i < 99; ++i) result.latency.record(1'000'000);
  result.latency.record(61'000'000);
  EXPECT_EQ(failure_of("p99<2ms", result), "");
  EXPECT_EQ(failure_of("max<=61ms", result), "");
  EXPECT_EQ(failure_of("max<50ms", result), "max is 61 ms, not < 50 ms");
  EXPECT_THAT(failure_of("p99.9<=2ms", result), HasSubstr("p99.9 is 61"));
  EXPECT_EQ(failure_of("mean<2ms", result), "");
  EXPECT_THAT(failure_of("mean<1500us", result), HasSubstr("not < 1.5 ms"));
}

TEST(Expectation, JudgesCounts) {
  LoadResult result;
  result.connected = 10;
  result.totals.lost = 3;
  EXPECT_EQ(failure_of("lost=0", result), "lost is 3, not = 0");
  EXPECT_EQ(failure_of("lost<=3", result), "");
  EXPECT_EQ(failure_of("lost<3", result), "lost is 3, not < 3");
  EXPECT_EQ(failure_of("lost>=3", result), "");
  EXPECT_EQ(failure_of("lost>3", result), "lost is 3, not > 3");
  EXPECT_EQ(failure_of("connected=10", result), "");
  EXPECT_EQ(failure_of("duplicated=0", result), "");
}

TEST(Expectation, JudgesRatesAndCosts) {
  LoadResult result;
  result.publish.wall_ns = 2'000'000'000;
  result.totals.delivered = 1000;
  result.publish.server.cpu_ns = 3'000'000;
  result.connect_count = 100;
  result.before.server.rss_bytes = 1'000'000;
  result.after.server.rss_bytes = 1'020'000;
  EXPECT_EQ(failure_of("deliveries/s=500", result), "");
  EXPECT_EQ(failure_of("deliveries/s>1e6", result), "deliveries/s is 500, not > 1000000");
  EXPECT_EQ(failure_of("cpu/delivery<2us", result), "cpu/delivery is 3 us, not < 2 us");
  EXPECT_EQ(failure_of("rss/subscriber<=200", result), "");
  EXPECT_EQ(failure_of("rss/subscriber<100B", result), "rss/subscriber is 200 B, not < 100 B");
}

TEST(Expectation, WhatWasNotMeasuredDoesNotHold) {
  const LoadResult result;
  EXPECT_EQ(failure_of("p99<5s", result), "p99 is not known: nothing was delivered");
  EXPECT_THAT(failure_of("cpu/delivery<5s", result), HasSubstr("--pid"));
  EXPECT_THAT(failure_of("rss/subscriber<5MB", result), HasSubstr("--pid"));
  EXPECT_THAT(failure_of("kernel/subscriber<5MB", result), HasSubstr("--memory"));
  EXPECT_THAT(failure_of("deliveries/s>0", result), HasSubstr("not known"));
}

}  // namespace
}  // namespace tocsin::load
