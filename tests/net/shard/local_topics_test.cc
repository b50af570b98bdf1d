#include "net/shard/local_topics.h"

#include <algorithm>
#include <deque>
#include <iterator>
#include <map>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace tocsin::net {
namespace {

TEST(LocalTopicsTest, GivesATopicOneNumberUntilItIsRemoved) {
  core::Topic a("a", 0);
  core::Topic b("b", 0);
  ConnectionTable table;
  LocalTopics topics(table);
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
  ConnectionTable table;
  LocalTopics topics(table);
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

// Streams of one topic and of several come and go, and topics with them.
TEST(LocalTopicsTest, KnowsWhoReadsWhat) {
  std::deque<core::Topic> all;
  for (std::size_t i = 0; i < 6; ++i) all.emplace_back("t" + std::to_string(i), 0);
  ConnectionTable table;
  LocalTopics topics(table);
  std::map<std::uint32_t, std::vector<core::TopicCursor>> read;  // by slot
  for (int i = 0; i < 40; ++i) read[table.allocate()] = {};
  std::minstd_rand random(1);
  for (int step = 0; step < 5000; ++step) {
    const auto at = std::next(read.begin(), static_cast<int>(random() % read.size()));
    const std::uint32_t slot = at->first;
    Stream& stream = table[slot].stream;
    if (at->second.empty()) {
      for (core::Topic& topic : all) {
        if (random() % 4 == 0) at->second.push_back({&topic, random()});
      }
      if (!at->second.empty()) topics.join(slot, stream, at->second);
    } else {
      std::size_t left = 0;
      topics.leave(slot, stream, [&](std::uint32_t topic, std::uint32_t other) {
        ++left;
        const auto& subscribers = topics[topic].subscribers;
        EXPECT_TRUE(other == slot || std::ranges::count(subscribers, other) == 1) << step;
        if (subscribers.empty()) topics.remove(topic);
      });
      EXPECT_EQ(left, at->second.size()) << step;
      at->second.clear();
    }
    std::size_t subscriptions = 0;
    for (const auto& [reader, wanted] : read) {
      if (wanted.empty()) continue;
      const auto has = topics.cursors(table[reader].stream);
      ASSERT_EQ(has.size(), wanted.size()) << step;
      for (std::size_t i = 0; i < wanted.size(); ++i) {
        ASSERT_EQ(has[i].topic, wanted[i].topic) << step;
        ASSERT_EQ(has[i].from, wanted.size() > 1 ? wanted[i].from : 0) << step;
        const auto& subscribers = topics[topics.find(wanted[i].topic)].subscribers;
        ASSERT_EQ(std::ranges::count(subscribers, reader), 1) << step;
      }
      subscriptions += wanted.size();
    }
    for (core::Topic& topic : all) {
      const bool known = std::ranges::any_of(read, [&](const auto& one) {
        return std::ranges::find(one.second, &topic, &core::TopicCursor::topic) != one.second.end();
      });
      if (known) subscriptions -= topics[topics.find(&topic)].subscribers.size();
    }
    ASSERT_EQ(subscriptions, 0U) << step;
  }
}

}  // namespace
}  // namespace tocsin::net
