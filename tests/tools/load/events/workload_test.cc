#include "tools/load/events/workload.h"

#include <cmath>
#include <map>
#include <set>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tools/load/events/payload.h"

namespace tocsin::load {
namespace {

using ::testing::HasSubstr;

SizeDistribution sizes(std::string_view text) {
  auto result = SizeDistribution::parse(text);
  EXPECT_TRUE(result) << (result ? "" : result.error());
  return result ? *result : SizeDistribution();
}

TEST(SizeDistribution, OneSize) {
  std::mt19937_64 random(1);
  EXPECT_EQ(SizeDistribution().draw(random), 200U);
  const SizeDistribution one = sizes("1048576");
  EXPECT_EQ(one.draw(random), kMaxPayload);
  EXPECT_EQ(one.largest(), kMaxPayload);
  EXPECT_EQ(one.mean(), 1048576.0);
}

TEST(SizeDistribution, RangeIsUniformWithBothEnds) {
  std::mt19937_64 random(2);
  const SizeDistribution range = sizes("100-103");
  std::map<std::size_t, int> drawn;
  for (int i = 0; i < 40'000; ++i) ++drawn[range.draw(random)];
  ASSERT_EQ(drawn.size(), 4U);
  for (const auto& [size, times] : drawn) EXPECT_NEAR(times, 10'000, 500) << size;
  EXPECT_EQ(range.largest(), 103U);
  EXPECT_EQ(range.mean(), 101.5);
}

TEST(SizeDistribution, ChoicesByTheirWeights) {
  std::mt19937_64 random(3);
  const SizeDistribution choice = sizes("200:6,100-102:3,4000:1");
  std::map<std::size_t, int> drawn;
  for (int i = 0; i < 100'000; ++i) ++drawn[choice.draw(random)];
  EXPECT_NEAR(drawn[200], 60'000, 1500);
  EXPECT_NEAR(drawn[101], 10'000, 1000);
  EXPECT_NEAR(drawn[4000], 10'000, 1000);
  EXPECT_EQ(choice.largest(), 4000U);
  EXPECT_NEAR(choice.mean(), 0.6 * 200 + 0.3 * 101 + 0.1 * 4000, 1e-9);
}

TEST(SizeDistribution, BadTextIsExplained) {
  const std::string least = std::to_string(kPayloadHead);
  const std::map<std::string, std::string> cases = {
      {"", "neither a number of bytes"},
      {"abc", "'abc' is neither a number of bytes"},
      {"200B", "neither a number of bytes"},
      {"100-", "neither a number of bytes"},
      {"-100", "neither a number of bytes"},
      {std::to_string(kPayloadHead - 1), "an event that can be checked has at least " + least},
      {"10-200", "an event that can be checked has at least " + least},
      {"1048577", "an event has at most 1,048,576 bytes"},
      {"100-1048577", "an event has at most 1,048,576 bytes"},
      {"300-200", "ends before it begins"},
      {"200:0", "a number above 0"},
      {"200:x", "a number above 0"},
      {"200:inf", "a number above 0"},
      {"200:1,", "neither a number of bytes"},
      {"200:1,300", "lacks a weight"},
  };
  for (const auto& [text, why] : cases) {
    const auto result = SizeDistribution::parse(text);
    ASSERT_FALSE(result) << text;
    EXPECT_THAT(result.error(), HasSubstr(why)) << text;
  }
}

TEST(Workload, NamesAndLanes) {
  Workload workload;
  EXPECT_EQ(workload.topic_name(0), "load");
  EXPECT_EQ(workload.lanes(4), 4U);
  workload.topics = 10;
  EXPECT_EQ(workload.topic_name(7), "load-7");
  EXPECT_EQ(workload.lanes(4), 10U);
  EXPECT_EQ(workload.topic_of(23), 3U);
}

TEST(LaneChooser, EachLaneBelongsToOneConnectionAndComesInTurn) {
  Workload workload;
  workload.topics = 10;
  std::mt19937_64 random(4);
  std::map<std::uint32_t, int> times;
  for (std::uint32_t connection = 0; connection < 3; ++connection) {
    LaneChooser chooser(workload, 3, connection);
    EXPECT_EQ(chooser.weight(), connection == 0 ? 4.0 : 3.0);
    for (int i = 0; i < 12; ++i) {
      const std::uint32_t lane = chooser.draw(random);
      EXPECT_EQ(lane % 3, connection);
      ++times[lane];
    }
  }
  EXPECT_EQ(times.size(), 10U);
  EXPECT_EQ(times[0], 3);
  EXPECT_EQ(times[1], 4);
}

TEST(LaneChooser, ConnectionsOfOneTopicShareItsWeight) {
  Workload workload;
  workload.topics = 2;
  std::mt19937_64 random(5);
  double sum[2] = {};
  for (std::uint32_t connection = 0; connection < 5; ++connection) {
    LaneChooser chooser(workload, 5, connection);
    EXPECT_EQ(chooser.draw(random), connection);
    EXPECT_EQ(chooser.draw(random), connection);
    sum[connection % 2] += chooser.weight();
  }
  EXPECT_NEAR(sum[0], 1, 1e-12);
  EXPECT_NEAR(sum[1], 1, 1e-12);
}

TEST(LaneChooser, ZipfMeetsItsTheory) {
  Workload workload;
  workload.topics = 1000;
  workload.zipf = 1.1;
  for (const std::uint32_t connections : {1U, 7U}) {
    std::mt19937_64 random(6);
    LaneChooser chooser(workload, connections, 0);
    double weight = 0;
    for (std::uint32_t t = 0; t < 1000; t += connections) weight += std::pow(t + 1.0, -1.1);
    EXPECT_NEAR(chooser.weight(), weight, 1e-9);
    constexpr int kDraws = 200'000;
    std::vector<int> times(1000);
    for (int i = 0; i < kDraws; ++i) ++times[chooser.draw(random)];
    double chi_squared = 0;
    for (std::uint32_t t = 0; t < 1000; ++t) {
      if (t % connections != 0) {
        EXPECT_EQ(times[t], 0);
        continue;
      }
      const double expected = kDraws * std::pow(t + 1.0, -1.1) / weight;
      chi_squared += (times[t] - expected) * (times[t] - expected) / expected;
    }
    const double freedom = 1000.0 / connections - 1;
    // Its mean is the degrees of freedom, its deviation sqrt(2 of them).
    EXPECT_NEAR(chi_squared, freedom, 5 * std::sqrt(2 * freedom));
  }
}

std::vector<std::uint64_t> dues(Ticker ticker, std::size_t count) {
  std::vector<std::uint64_t> result;
  for (; result.size() < count; ticker.advance()) result.push_back(ticker.due_ns());
  return result;
}

constexpr std::uint64_t kStart = 1'234'567'890'123'456;

TEST(Ticker, ConnectionsTogetherAreEvenlySpaced) {
  std::set<std::uint64_t> all;
  for (std::uint32_t connection = 0; connection < 4; ++connection) {
    const Schedule schedule{.events_per_s = 1000};
    for (const auto due : dues(Ticker(schedule, 4, connection, kStart, 1), 250)) all.insert(due);
  }
  ASSERT_EQ(all.size(), 1000U);
  std::uint64_t next = kStart;
  for (const std::uint64_t due : all) {
    EXPECT_EQ(due, next);
    next += 1'000'000;
  }
}

TEST(Ticker, DoesNotDrift) {
  // The interval, 333.3 us, is no binary fraction, so that a sum of intervals would go astray.
  Ticker ticker({.events_per_s = 3000}, 1, 0, kStart, 1);
  constexpr std::uint64_t kEvents = 30'000'000;
  for (std::uint64_t i = 0; i < kEvents; ++i) ticker.advance();
  const std::uint64_t exact = kStart + 10'000ULL * 1'000'000'000;
  EXPECT_NEAR(static_cast<double>(ticker.due_ns() - kStart), static_cast<double>(exact - kStart),
              1);
}

TEST(Ticker, BurstsAreDueAtOnceAndKeepTheMeanRate) {
  const auto due = dues(Ticker({.events_per_s = 1000, .burst = 50}, 2, 1, kStart, 1), 1001);
  EXPECT_EQ(due[0], due[49]);
  EXPECT_EQ(due[50] - due[49], 100'000'000U);
  EXPECT_EQ(due[1000] - due[0], 2'000'000'000U);
  EXPECT_EQ(due[0] - kStart, 50'000'000U);
}

TEST(Ticker, PoissonHasTheMeanAndTheDeviationOfAnExponential) {
  for (const std::uint32_t burst : {1U, 3U}) {
    constexpr std::size_t kBursts = 100'000;
    const auto due =
        dues(Ticker({.events_per_s = 1000, .poisson = true, .burst = burst}, 1, 0, kStart, 7),
             kBursts * burst);
    double sum = 0;
    double squares = 0;
    for (std::size_t i = burst; i < due.size(); i += burst) {
      const auto gap = static_cast<double>(due[i] - due[i - burst]);
      sum += gap;
      squares += gap * gap;
    }
    const double mean = sum / (kBursts - 1);
    EXPECT_NEAR(mean, 1e6 * burst, 2e4 * burst);
    EXPECT_NEAR(std::sqrt(squares / (kBursts - 1) - mean * mean), 1e6 * burst, 3e4 * burst);
  }
}

TEST(Ticker, PoissonIsAnotherOnEachConnectionAndTheSameForASeed) {
  const Schedule schedule{.events_per_s = 1000, .poisson = true};
  const auto first = dues(Ticker(schedule, 2, 0, kStart, 7), 10);
  EXPECT_EQ(first, dues(Ticker(schedule, 2, 0, kStart, 7), 10));
  EXPECT_NE(first, dues(Ticker(schedule, 2, 1, kStart, 7), 10));
  EXPECT_NE(first, dues(Ticker(schedule, 2, 0, kStart, 8), 10));
}

}  // namespace
}  // namespace tocsin::load
