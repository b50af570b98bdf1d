#include "net/base/age_list.h"

#include <algorithm>
#include <random>
#include <vector>

#include <gtest/gtest.h>

#include "tests/net/support/test_client.h"

namespace tocsin::net {
namespace {

class AgeListTest : public testing::Test {
 protected:
  static constexpr std::uint32_t kNumbers = 20;

  std::vector<AgeLinks> links_{kNumbers};
  AgeList list_{[this](std::uint32_t number) -> AgeLinks& { return links_[number]; }};
};

TEST_F(AgeListTest, IsInTheOrderOfTheLastRenewal) {
  EXPECT_EQ(list_.oldest(), AgeList::kNone);
  for (std::uint32_t number = 0; number < 3; ++number) list_.renew(number);
  EXPECT_EQ(list_.oldest(), 0U);
  list_.renew(0);
  EXPECT_EQ(list_.oldest(), 1U);
  list_.remove(1);
  list_.remove(1);
  EXPECT_EQ(list_.oldest(), 2U);
  EXPECT_EQ(list_.size(), 2U);
}

// Against a vector, by random operations.
TEST_F(AgeListTest, DoesWhatAVectorDoes) {
  std::minstd_rand random(static_cast<unsigned>(test_seed()));
  std::vector<std::uint32_t> model;
  for (int i = 0; i < 20'000; ++i) {
    const auto number = static_cast<std::uint32_t>(random() % kNumbers);
    std::erase(model, number);
    if (random() % 3 == 0) {
      list_.remove(number);
    } else {
      list_.renew(number);
      model.push_back(number);
    }
    ASSERT_EQ(list_.size(), model.size());
    ASSERT_EQ(list_.oldest(), model.empty() ? AgeList::kNone : model.front());
  }
  for (; !model.empty(); model.erase(model.begin())) {
    ASSERT_EQ(list_.oldest(), model.front());
    list_.remove(model.front());
  }
  EXPECT_EQ(list_.size(), 0U);
}

}  // namespace
}  // namespace tocsin::net
