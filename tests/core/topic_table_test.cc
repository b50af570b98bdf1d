#include "core/topic_table.h"

#include <memory>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace tocsin::core {
namespace {

std::unique_ptr<Topic> make(const std::string& name) {
  return std::make_unique<Topic>(name, 0);
}

TEST(TopicTableTest, FindsWhatIsThereUntilItIsTakenOut) {
  TopicTable table(HashKey{1, 2, 3});
  EXPECT_EQ(table.find("a"), nullptr);
  std::vector<Topic*> topics;
  for (int i = 0; i < 5000; ++i)
    topics.push_back(&table.insert(make("topic " + std::to_string(i))));
  for (int i = 0; i < 5000; ++i)
    ASSERT_EQ(table.find("topic " + std::to_string(i)), topics[static_cast<std::size_t>(i)]);
  EXPECT_EQ(table.find("topic"), nullptr);
  EXPECT_EQ(table.find(""), nullptr);
  for (int i = 0; i < 5000; i += 2) {
    const std::unique_ptr<Topic> taken = table.extract(*topics[static_cast<std::size_t>(i)]);
    ASSERT_EQ(taken.get(), topics[static_cast<std::size_t>(i)]);
  }
  for (int i = 0; i < 5000; ++i) {
    ASSERT_EQ(table.find("topic " + std::to_string(i)),
              i % 2 == 0 ? nullptr : topics[static_cast<std::size_t>(i)]);
  }
  Topic& again = table.insert(make("topic 0"));
  EXPECT_EQ(table.find("topic 0"), &again);
}

// Places are searched one after the other: what moves up when one is freed must stay to be found,
// also over the end of a part.
TEST(TopicTableTest, StaysRightWhileTopicsComeAndGo) {
  constexpr std::size_t kNames = 3000;  // a dozen in each part
  TopicTable table(HashKey{5});
  std::vector<Topic*> there(kNames, nullptr);
  std::minstd_rand random(1);
  for (int step = 0; step < 60'000; ++step) {
    const std::size_t i = random() % kNames;
    const std::string name = "t" + std::to_string(i);
    ASSERT_EQ(table.find(name), there[i]) << step;
    if (there[i] == nullptr) {
      there[i] = &table.insert(make(name));
    } else {
      const std::unique_ptr<Topic> taken = table.extract(*there[i]);
      ASSERT_EQ(taken.get(), there[i]);
      there[i] = nullptr;
    }
  }
  for (std::size_t i = 0; i < kNames; ++i) {
    ASSERT_EQ(table.find("t" + std::to_string(i)), there[i]);
  }
}

// What grows moves all that it has, and everybody who wants the hub waits meanwhile.
TEST(TopicTableTest, NoInsertMovesMoreThanASmallPart) {
  constexpr std::size_t kTopics = 100'000;
  TopicTable table(HashKey{7});
  for (std::size_t i = 0; i < kTopics; ++i) table.insert(make("user/" + std::to_string(i)));
  EXPECT_LE(table.largest_part(), kTopics / 128);
}

}  // namespace
}  // namespace tocsin::core
