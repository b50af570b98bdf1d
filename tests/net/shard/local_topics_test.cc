#include "net/shard/local_topics.h"

#include <deque>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace tocsin::net {
namespace {

TEST(LocalTopicsTest, GivesATopicOneNumberUntilItIsRemoved) {
  core::Topic a("a", 0);
  core::Topic b("b", 0);
  LocalTopics topics;
  const std::uint32_t first = topics.find_or_add(&a);
  const std::uint32_t second = topics.find_or_add(&b);
  EXPECT_NE(first, second);
  EXPECT_EQ(topics.find_or_add(&a), first);
  EXPECT_EQ(topics.find(&b), second);
  EXPECT_EQ(topics[first].topic, &a);
  EXPECT_EQ(topics.size(), 2U);
  topics.remove(first);
  EXPECT_EQ(topics.size(), 1U);
  EXPECT_EQ(topics.find(&b), second);
  EXPECT_EQ(topics.find_or_add(&a), first);  // numbers are used again
}

// What moves up in the index when one goes must stay to be found.
TEST(LocalTopicsTest, StaysRightWhileTopicsComeAndGo) {
  constexpr std::size_t kTopics = 500;
  std::deque<core::Topic> all;
  for (std::size_t i = 0; i < kTopics; ++i) all.emplace_back("t" + std::to_string(i), 0);
  std::vector<bool> there(kTopics, false);
  LocalTopics topics;
  std::minstd_rand random(1);
  std::size_t count = 0;
  for (int step = 0; step < 50'000; ++step) {
    const std::size_t i = random() % kTopics;
    if (there[i]) {
      const std::uint32_t id = topics.find(&all[i]);
      ASSERT_EQ(topics[id].topic, &all[i]) << step;
      topics.remove(id);
      --count;
    } else {
      ASSERT_EQ(topics[topics.find_or_add(&all[i])].topic, &all[i]) << step;
      ++count;
    }
    there[i] = !there[i];
    ASSERT_EQ(topics.size(), count);
  }
  for (std::size_t i = 0; i < kTopics; ++i) {
    if (!there[i]) continue;
    EXPECT_EQ(topics[topics.find(&all[i])].topic, &all[i]);
  }
}

}  // namespace
}  // namespace tocsin::net
