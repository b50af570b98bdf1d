#include "net/shard/age_list.h"

#include <algorithm>
#include <random>
#include <vector>

#include <gtest/gtest.h>

#include "tests/net/support/test_client.h"

namespace tocsin::net {
namespace {

AgeLinks& links_of(Attachment& extra) {
  return extra.by_age;
}

TEST(AgeList, IsInTheOrderOfTheLastRenewal) {
  ConnectionTable table;
  AgeList list(table, links_of);
  EXPECT_EQ(list.oldest(), AgeList::kNone);
  std::vector<std::uint32_t> slots;
  for (int i = 0; i < 3; ++i) {
    slots.push_back(table.allocate());
    table[slots.back()].attach();
    list.renew(slots.back());
  }
  EXPECT_EQ(list.oldest(), slots[0]);
  list.renew(slots[0]);
  EXPECT_EQ(list.oldest(), slots[1]);
  list.remove(slots[1]);
  list.remove(slots[1]);
  EXPECT_EQ(list.oldest(), slots[2]);
  EXPECT_EQ(list.size(), 2U);
}

// Against a vector, by random operations.
TEST(AgeList, DoesWhatAVectorDoes) {
  std::minstd_rand random(static_cast<unsigned>(test_seed()));
  ConnectionTable table;
  AgeList list(table, links_of);
  std::vector<std::uint32_t> slots;
  for (int i = 0; i < 20; ++i) {
    slots.push_back(table.allocate());
    table[slots.back()].attach();
  }
  std::vector<std::uint32_t> model;
  for (int i = 0; i < 20'000; ++i) {
    const std::uint32_t slot = slots[random() % slots.size()];
    std::erase(model, slot);
    if (random() % 3 == 0) {
      list.remove(slot);
    } else {
      list.renew(slot);
      model.push_back(slot);
    }
    ASSERT_EQ(list.size(), model.size());
    ASSERT_EQ(list.oldest(), model.empty() ? AgeList::kNone : model.front());
  }
  for (; !model.empty(); model.erase(model.begin())) {
    ASSERT_EQ(list.oldest(), model.front());
    list.remove(model.front());
  }
  EXPECT_EQ(list.size(), 0U);
}

}  // namespace
}  // namespace tocsin::net
