#include "net/state/request_memory.h"

#include <atomic>
#include <memory>
#include <random>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace tocsin::net {
namespace {

constexpr std::uint64_t kPortion = limits::kRequestMemoryPortion;

TEST(RequestMemory, IsOneForAllShards) {
  RequestMemory room;
  ShardRequestMemory one(room);
  ShardRequestMemory other(room);
  one.count(0, limits::kMaxRequestMemory / 2);
  other.count(0, limits::kMaxRequestMemory / 2);
  EXPECT_TRUE(one.fit() && other.fit());
  other.count(0, 1);
  EXPECT_FALSE(other.fit());
  EXPECT_TRUE(one.fit()) << "what it has";
  one.count(limits::kMaxRequestMemory / 2, 0);
  other.count(0, 0);
  EXPECT_TRUE(other.fit()) << "with what the other one gave back";
  EXPECT_LE(room.taken(), limits::kMaxRequestMemory);
}

TEST(RequestMemory, SmallRequestsDoNotTouchWhatIsShared) {
  RequestMemory room;
  ShardRequestMemory memory(room);
  memory.count(0, 1);
  const std::uint64_t taken = room.taken();
  EXPECT_EQ(taken, kPortion);
  for (std::uint64_t i = 0; i < 100; ++i) {
    memory.count(0, 1000);
    EXPECT_EQ(room.taken(), taken);
    memory.count(1000, 0);
    EXPECT_EQ(room.taken(), taken);
  }
}

TEST(RequestMemory, AShardKeepsLessThanTwoPortionsThatItDoesNotUse) {
  RequestMemory room;
  std::minstd_rand random(7);
  {
    ShardRequestMemory memory(room);
    for (int i = 0; i < 10'000; ++i) {
      memory.count(memory.used(), random() % (20 * kPortion));
      ASSERT_TRUE(memory.fit());
      ASSERT_GE(room.taken(), memory.used());
      ASSERT_LT(room.taken() - memory.used(), 2 * kPortion + kPortion);
    }
  }
  EXPECT_EQ(room.taken(), 0U);
}

TEST(RequestMemory, NeverGivesMoreThanThereIsToSeveralThreads) {
  RequestMemory room;
  std::atomic<std::uint64_t> held{0};
  std::atomic<bool> too_much{false};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      constexpr std::uint64_t kBytes = limits::kMaxRequestMemory / 3;
      for (int i = 0; i < 20'000; ++i) {
        if (!room.take(kBytes)) continue;
        if (held.fetch_add(kBytes) + kBytes > limits::kMaxRequestMemory) too_much = true;
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
