#include "core/shard_set.h"

#include <vector>

#include <gmock/gmock.h>

namespace tocsin::core {
namespace {

using ::testing::ElementsAre;

constexpr ShardId kLast = limits::kMaxShards - 1;

std::vector<ShardId> members(const ShardSet& set) {
  std::vector<ShardId> result;
  set.for_each([&](ShardId shard) { result.push_back(shard); });
  return result;
}

TEST(ShardSetTest, HasWhatWasAddedOverAllWords) {
  ShardSet set{0, 63, 64, kLast};
  EXPECT_THAT(members(set), ElementsAre(0, 63, 64, kLast));
  EXPECT_EQ(set.size(), 4U);
  EXPECT_FALSE(set.has(1));
  set.remove(63);
  set.remove(63);
  EXPECT_THAT(members(set), ElementsAre(0, 64, kLast));
  EXPECT_FALSE(set.has(63));
  EXPECT_TRUE(set.has(kLast));
}

TEST(ShardSetTest, IsEmptyOnlyWithoutAny) {
  EXPECT_TRUE(ShardSet{}.is_empty());
  EXPECT_FALSE(ShardSet{0}.is_empty());
  EXPECT_FALSE(ShardSet{kLast}.is_empty());
}

TEST(ShardSetTest, UnionAndDifferenceWorkWordByWord) {
  ShardSet set{1, 65};
  set |= ShardSet{2, 65, 66};
  EXPECT_EQ(set, (ShardSet{1, 2, 65, 66}));
  EXPECT_EQ((set - ShardSet{1, 66, kLast}), (ShardSet{2, 65}));
  EXPECT_NE(set, (ShardSet{1, 2, 65}));
}

}  // namespace
}  // namespace tocsin::core
