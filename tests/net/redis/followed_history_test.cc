// What a hub takes for the continuation of what it was told.
#include "net/redis/followed_history.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "proto/limits.h"

namespace tocsin::net {
namespace {

using testing::ElementsAre;

constexpr proto::Epoch kFirst = 0x11111111;
constexpr proto::Epoch kSecond = 0x22222222;
constexpr proto::Epoch kThird = 0x33333333;

// Two epochs, of generations 10 and 20; the first ended behind event 50.
StoredHead head(core::Sequence last = 100) {
  return {.epoch = kSecond,
          .generation = 20,
          .last = last,
          .older = {{.epoch = kFirst, .generation = 10, .end = 50}}};
}

StoredEntry commit(std::uint64_t generation, core::Sequence last, std::uint64_t events) {
  return {.id = {generation, last}, .events = events};
}
StoredEntry opening(std::uint64_t generation, core::Sequence last, proto::Epoch epoch) {
  return {.id = {generation, last}, .opens = epoch};
}

TEST(FollowedHistoryTest, FollowsCommitsOverEpochsThatItKnows) {
  FollowedHistory history(head(), {.generation = 10, .last = 47});
  const auto journal = history.journal();
  ASSERT_TRUE(journal);
  EXPECT_EQ(journal->last(), 47U);
  EXPECT_EQ(journal->epochs().of(50), kFirst);
  EXPECT_EQ(journal->epochs().of(51), kSecond);
  EXPECT_EQ(history.follow(commit(10, 50, 3)), (core::Place{kFirst, 48, 50}));
  EXPECT_EQ(history.follow_open(opening(20, 50, kSecond)), false);
  EXPECT_EQ(history.follow(commit(20, 52, 2)), (core::Place{kSecond, 51, 52}));
  EXPECT_EQ(history.behind(), (EntryId{.generation = 20, .last = 52}));
}

TEST(FollowedHistoryTest, AnEpochThatBeginsBehindItIsFollowed) {
  FollowedHistory history(head(), {.generation = 20, .last = 100});
  EXPECT_EQ(history.follow_open(opening(30, 100, kThird)), true);
  EXPECT_EQ(history.epoch(), kThird);
  EXPECT_EQ(history.follow(commit(30, 101, 1)), (core::Place{kThird, 101, 101}));
  EXPECT_THAT(history.known().older,
              ElementsAre(StoredHead::Older{kFirst, 10, 50}, StoredHead::Older{kSecond, 20, 100}));
  EXPECT_EQ(history.known().last, 101U);
}

TEST(FollowedHistoryTest, WhatDoesNotFollowIsSaid) {
  const EntryId behind{.generation = 20, .last = 100};
  FollowedHistory history(head(), behind);
  EXPECT_FALSE(history.follow(commit(20, 103, 2))) << "a hole";
  EXPECT_FALSE(history.follow(commit(20, 101, 2))) << "not whole";
  EXPECT_FALSE(history.follow(commit(30, 101, 1))) << "an epoch that nobody has begun";
  EXPECT_FALSE(history.follow_open(opening(30, 99, kThird))) << "events of it are gone";
  EXPECT_FALSE(history.follow_open(opening(30, 101, kThird))) << "events that it was not told of";
  EXPECT_EQ(history.behind(), behind) << "nothing has changed";
}

TEST(FollowedHistoryTest, KnowsWhichEntriesMayBeItsOwn) {
  FollowedHistory history(head(), {.generation = 10, .last = 47});
  EXPECT_TRUE(history.may_have({.generation = 10, .last = 50}));
  EXPECT_FALSE(history.may_have({.generation = 10, .last = 51})) << "behind the epoch's end";
  EXPECT_TRUE(history.may_have({.generation = 20, .last = 500}));
  EXPECT_FALSE(history.may_have({.generation = 15, .last = 48})) << "nobody has begun it";
  history.skip({.generation = 20, .last = 60});
  EXPECT_EQ(history.follow(commit(20, 61, 1)), (core::Place{kSecond, 61, 61}));
}

TEST(FollowedHistoryTest, JudgesWhetherAHeadGoesOnFromIt) {
  const FollowedHistory history(head(), {.generation = 20, .last = 100});
  EXPECT_TRUE(history.judge(head(100)));
  EXPECT_TRUE(history.judge(head(1000)));
  EXPECT_FALSE(history.judge(head(99))) << "the newest is gone";
  StoredHead other = head();
  other.generation = 21;
  EXPECT_FALSE(history.judge(other)) << "another epoch of the same number";

  StoredHead forked{.epoch = kThird,
                    .generation = 30,
                    .last = 200,
                    .older = {{kFirst, 10, 50}, {kSecond, 20, 100}}};
  EXPECT_TRUE(history.judge(forked));
  forked.older[1].end = 120;
  EXPECT_TRUE(history.judge(forked));
  forked.older[1].end = 99;
  EXPECT_FALSE(history.judge(forked)) << "its newest events were lost";
  forked.older.pop_back();
  EXPECT_FALSE(history.judge(forked)) << "another history";
}

// A server that lost everything is told what this hub has, and goes on from there.
TEST(FollowedHistoryTest, KnowsWhatItWasToldOfAndNoMore) {
  const FollowedHistory history(head(), {.generation = 10, .last = 47});
  const StoredHead known = history.known();
  EXPECT_EQ(known.last, 47U);
  EXPECT_EQ(known.older_text(), "286331153:10:47,");
}

TEST(FollowedHistoryTest, EpochsBeyondTheBoundAreForgotten) {
  FollowedHistory history(head(), {.generation = 20, .last = 100});
  for (proto::Epoch epoch = 1; epoch < 3 * limits::kMaxEpochs; ++epoch) {
    ASSERT_EQ(history.follow_open(opening(100 + epoch, 100, epoch)), true);
    ASSERT_TRUE(history.journal());
  }
  EXPECT_EQ(history.known().older.size() + 1, limits::kMaxEpochs);
}

}  // namespace
}  // namespace tocsin::net
