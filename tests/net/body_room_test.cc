#include "net/body_room.h"

#include <atomic>
#include <memory>
#include <random>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace tocsin::net {
namespace {

constexpr std::uint64_t kPortion = limits::kBodyPortion;

TEST(BodyRoom, IsOneForAllShards) {
  BodyRoom room;
  ShardBodies one(room);
  ShardBodies other(room);
  one.count(0, limits::kMaxBodies / 2);
  other.count(0, limits::kMaxBodies / 2);
  EXPECT_TRUE(one.fit() && other.fit());
  other.count(0, 1);
  EXPECT_FALSE(other.fit());
  EXPECT_TRUE(one.fit()) << "what it has";
  one.count(limits::kMaxBodies / 2, 0);
  other.count(0, 0);
  EXPECT_TRUE(other.fit()) << "with what the other one gave back";
  EXPECT_LE(room.taken(), limits::kMaxBodies);
}

TEST(BodyRoom, SmallBodiesDoNotTouchWhatIsShared) {
  BodyRoom room;
  ShardBodies bodies(room);
  bodies.count(0, 1);
  const std::uint64_t taken = room.taken();
  EXPECT_EQ(taken, kPortion);
  for (std::uint64_t i = 0; i < 100; ++i) {
    bodies.count(0, 1000);
    EXPECT_EQ(room.taken(), taken);
    bodies.count(1000, 0);
    EXPECT_EQ(room.taken(), taken);
  }
}

TEST(BodyRoom, AShardKeepsLessThanTwoPortionsThatItDoesNotUse) {
  BodyRoom room;
  std::minstd_rand random(7);
  {
    ShardBodies bodies(room);
    for (int i = 0; i < 10'000; ++i) {
      bodies.count(bodies.used(), random() % (20 * kPortion));
      ASSERT_TRUE(bodies.fit());
      ASSERT_GE(room.taken(), bodies.used());
      ASSERT_LT(room.taken() - bodies.used(), 2 * kPortion + kPortion);
    }
  }
  EXPECT_EQ(room.taken(), 0U);
}

TEST(BodyRoom, NeverGivesMoreThanThereIsToSeveralThreads) {
  BodyRoom room;
  std::atomic<std::uint64_t> held{0};
  std::atomic<bool> too_much{false};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      constexpr std::uint64_t kBytes = limits::kMaxBodies / 3;
      for (int i = 0; i < 20'000; ++i) {
        if (!room.take(kBytes)) continue;
        if (held.fetch_add(kBytes) + kBytes > limits::kMaxBodies) too_much = true;
        held.fetch_sub(kBytes);
        room.give_back(kBytes);
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_FALSE(too_much);
  EXPECT_EQ(room.taken(), 0U);
}

}  // namespace
}  // namespace tocsin::net
