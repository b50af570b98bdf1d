#include "core/publish/published_keys.h"

#include <algorithm>
#include <map>
#include <random>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tocsin::core {
namespace {

using Kind = KeyFinding::Kind;
using ::testing::ElementsAre;

PublishKey key_of(unsigned char name, std::uint64_t number = 0, std::uint64_t time_ms = 0) {
  PublishKey key{.number = number, .content = 7, .time_ms = time_ms};
  key.name[15] = name;
  return key;
}

class PublishedKeysTest : public ::testing::Test {
 protected:
  void add(const PublishKey& key) {
    last_ += 2;
    keys_.add(key, {.epoch = 1, .first = last_ - 1, .last = last_}, &gone_);
  }
  [[nodiscard]] Kind find(const PublishKey& key) const { return keys_.find(key).kind; }

  PublishedKeys keys_{5};
  PublishedKeys::Gone gone_;
  Sequence last_ = 0;
};

TEST_F(PublishedKeysTest, ANameThatStandsAloneIsPublishedOnce) {
  EXPECT_EQ(find(key_of(1)), Kind::fresh);
  add(key_of(1));
  const KeyFinding again = keys_.find(key_of(1));
  EXPECT_EQ(again.kind, Kind::repeated);
  EXPECT_EQ(again.place, (Place{.epoch = 1, .first = 1, .last = 2}));
  EXPECT_EQ(find(key_of(2)), Kind::fresh);
  PublishKey other = key_of(1);
  other.content = 8;
  EXPECT_EQ(find(other), Kind::differs);
}

TEST_F(PublishedKeysTest, NumbersFollowOneAnother) {
  const KeyFinding early = keys_.find(key_of(1, 2));
  EXPECT_EQ(early.kind, Kind::hole);
  EXPECT_EQ(early.expected, 1U);
  add(key_of(1, 1));
  add(key_of(1, 2));
  add(key_of(2, 1));
  EXPECT_EQ(find(key_of(1, 3)), Kind::fresh);
  EXPECT_EQ(keys_.find(key_of(1, 4)).expected, 3U);
  EXPECT_EQ(keys_.find(key_of(1, UINT64_MAX)).expected, 3U);
  EXPECT_EQ(keys_.find(key_of(1, 1)).place.last, 2U);
  EXPECT_EQ(keys_.find(key_of(2, 3)).expected, 2U);
  EXPECT_EQ(keys_.find(key_of(0, 3)).expected, 1U) << "a name before all that are known";
  EXPECT_EQ(keys_.find(key_of(3, 3)).expected, 1U);
}

TEST_F(PublishedKeysTest, OfTheNumbersOfANameTheLastAnswersAreKept) {
  PublishedKeys keys;
  for (std::uint64_t n = 1; n <= 100; ++n) {
    keys.add(key_of(1, n), {.epoch = 1, .first = n, .last = n}, &gone_);
  }
  EXPECT_EQ(keys.size(), limits::kKeptNumbers);
  EXPECT_EQ(gone_.size(), 100 - limits::kKeptNumbers);
  const KeyFinding old = keys.find(key_of(1, 100 - limits::kKeptNumbers));
  EXPECT_EQ(old.kind, Kind::forgotten);
  EXPECT_EQ(old.expected, 101U);
  EXPECT_EQ(keys.find(key_of(1, 101 - limits::kKeptNumbers)).kind, Kind::repeated);
}

TEST_F(PublishedKeysTest, TheOldestGoesWhereThereAreTooMany) {
  for (unsigned char name = 1; name <= 7; ++name) add(key_of(name, name == 1 ? 1 : 0));
  EXPECT_EQ(keys_.size(), 5U);
  EXPECT_THAT(gone_, ElementsAre(2, 4));
  EXPECT_EQ(find(key_of(2)), Kind::fresh);
  EXPECT_EQ(find(key_of(3)), Kind::repeated);
  EXPECT_EQ(keys_.find(key_of(1, 2)).expected, 1U) << "the name is not known any more";
}

TEST_F(PublishedKeysTest, AKeyIsKeptForADay) {
  add(key_of(1, 0, 1000));
  add(key_of(2, 1, 1000));
  add(key_of(3, 0, 2000));
  keys_.drop_old(1000 + kPublishKeyMs, &gone_);
  EXPECT_EQ(find(key_of(1)), Kind::repeated);
  keys_.drop_old(0, &gone_);
  EXPECT_EQ(keys_.size(), 3U) << "clocks are put back";
  keys_.drop_old(1001 + kPublishKeyMs, &gone_);
  EXPECT_EQ(find(key_of(1)), Kind::fresh);
  EXPECT_EQ(find(key_of(2, 1)), Kind::fresh);
  EXPECT_EQ(find(key_of(3)), Kind::repeated);
  EXPECT_THAT(gone_, ElementsAre(2, 4));
}

// However many end at once, one publish does not wait for all of them to go.
TEST_F(PublishedKeysTest, NotAllThatIsOldGoesAtOnce) {
  PublishedKeys keys;
  constexpr std::uint64_t kMany = 10'000;
  for (std::uint64_t n = 1; n <= kMany; ++n) {
    PublishKey key = key_of(1);
    key.name[0] = static_cast<unsigned char>(n);
    key.name[1] = static_cast<unsigned char>(n >> 8);
    keys.add(key, {.epoch = 1, .first = n, .last = n});
  }
  keys.drop_old(2 * kPublishKeyMs);
  EXPECT_LT(keys.size(), kMany);
  EXPECT_GT(keys.size(), kMany - 1000);
}

TEST_F(PublishedKeysTest, WhatHasNotHappenedIsFree) {
  add(key_of(1, 1));
  add(key_of(1, 2));
  keys_.remove(key_of(1, 2));
  keys_.remove(key_of(1, 2));
  EXPECT_EQ(find(key_of(1, 2)), Kind::fresh);
  EXPECT_EQ(find(key_of(1, 1)), Kind::repeated);
  EXPECT_TRUE(gone_.empty());
}

// Those that were kept elsewhere begin where they begin.
TEST_F(PublishedKeysTest, WhatWasKnownIsRestored) {
  for (const std::uint64_t number : {7U, 8U, 8U}) {
    ++last_;
    keys_.restore(key_of(1, number), {.epoch = 1, .first = last_, .last = last_}, &gone_);
  }
  EXPECT_EQ(find(key_of(1, 9)), Kind::fresh);
  EXPECT_EQ(find(key_of(1, 6)), Kind::forgotten);
  EXPECT_EQ(keys_.find(key_of(1, 8)).place.last, 3U);
  EXPECT_THAT(gone_, ElementsAre(2));
}

// Against a list that is searched from its beginning.
TEST(PublishedKeys, AgreesWithAList) {
  std::mt19937 random(20);
  PublishedKeys keys(50);
  std::vector<std::pair<PublishKey, Sequence>> known;
  std::uint64_t now = 0;
  for (Sequence last = 1; last <= 20'000; ++last) {
    now += random() % (kPublishKeyMs / 40);
    keys.drop_old(now);
    std::erase_if(known, [&](const auto& one) { return now > one.first.time_ms + kPublishKeyMs; });
    PublishKey key = key_of(static_cast<unsigned char>(random() % 6), 0, now);
    if (key.name[15] >= 3) key.name[14] = static_cast<unsigned char>(random() % 20);
    key.content = random() % 4;
    std::uint64_t newest = 0;
    for (const auto& [other, at] : known) {
      if (other.name == key.name) newest = std::max(newest, other.number);
    }
    if (key.name[15] < 3) key.number = newest + 1 - std::min<std::uint64_t>(newest, random() % 3);
    const auto same = std::ranges::find_if(known, [&](const auto& one) {
      return one.first.name == key.name && one.first.number == key.number;
    });
    const KeyFinding found = keys.find(key);
    if (same == known.end()) {
      ASSERT_EQ(found.kind, key.number > 0 && key.number <= newest ? Kind::forgotten : Kind::fresh);
    } else if (same->first.content != key.content) {
      ASSERT_EQ(found.kind, Kind::differs);
    } else {
      ASSERT_EQ(found.kind, Kind::repeated);
      ASSERT_EQ(found.place.last, same->second);
    }
    if (found.kind != Kind::fresh) continue;
    keys.add(key, {.epoch = 1, .first = last, .last = last});
    if (known.size() == 50) known.erase(known.begin());
    std::erase_if(known, [&](const auto& one) {
      return one.first.name == key.name && one.first.number + limits::kKeptNumbers == key.number &&
             one.first.number > 0;
    });
    known.emplace_back(key, last);
    ASSERT_EQ(keys.size(), known.size());
  }
}

}  // namespace
}  // namespace tocsin::core
