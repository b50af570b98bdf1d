#include "net/state/client_table.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

#include "proto/limits.h"

namespace tocsin::net {
namespace {

constexpr std::uint64_t kSecond = 1'000'000;  // us
using Limit = ClientRefusal::Limit;

TEST(ClientTable, KeepsWhoHasSomethingOpenAndForgetsWhoHasNot) {
  ClientTable table({});
  EXPECT_FALSE(table.open_stream(1, {}, kSecond));
  EXPECT_FALSE(table.open_connection(1, {}, kSecond));
  EXPECT_EQ(table.size(), 1U);
  table.close_stream(1, kSecond);
  EXPECT_EQ(table.size(), 1U);
  table.close_connection(1, kSecond);
  EXPECT_EQ(table.size(), 0U);
}

TEST(ClientTable, RemembersARateUntilItsBucketIsFull) {
  ClientTable table({});
  const ClientLimits limits{.publishes = {.per_s = 1, .burst_s = 2}};
  table.count_publish(1, limits, 2, 0, kSecond);
  EXPECT_EQ(table.size(), 1U);
  const auto refused = table.look_at_publish(1, limits, kSecond);
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->limit, Limit::publishes);
  EXPECT_EQ(refused->value, 1U);
  EXPECT_EQ(refused->wait_us, kSecond);
  EXPECT_FALSE(table.look_at_publish(1, limits, 2 * kSecond));
  EXPECT_EQ(table.size(), 1U);
  EXPECT_FALSE(table.look_at_publish(1, limits, 3 * kSecond));
  EXPECT_EQ(table.size(), 0U) << "nothing to remember";
}

TEST(ClientTable, ARefusedOneLeavesNothingBehind) {
  ClientTable table({});
  const ClientLimits limits{.connections = 1, .streams = 1};
  EXPECT_FALSE(table.open_stream(1, limits, kSecond));
  EXPECT_EQ(table.open_stream(1, limits, kSecond)->limit, Limit::streams);
  EXPECT_FALSE(table.open_connection(1, limits, kSecond));
  EXPECT_EQ(table.open_connection(1, limits, kSecond)->limit, Limit::connections);
  table.close_stream(1, kSecond);
  table.close_connection(1, kSecond);
  EXPECT_EQ(table.size(), 0U);
}

// As one who comes back all the time, from ever new addresses, would like it.
TEST(ClientTable, IsBoundedAndForgetsTheOldestThatHasNothingOpen) {
  constexpr std::uint64_t kMost = ::tocsin::limits::kMaxRestingClients;
  ClientTable table({});
  const ClientLimits limits{.streams = 1, .opens = {.per_s = 1, .burst_s = 1000}};
  constexpr std::uint64_t kHeld = 1;
  EXPECT_FALSE(table.open_stream(kHeld, limits, kSecond));
  constexpr std::uint64_t kEarly = 2;
  table.count_publish(kEarly, {.publishes = {.per_s = 1, .burst_s = 1}}, 1'000'000, 0, kSecond);
  for (std::uint64_t client = 3; client < 3 * kMost; ++client) {
    ASSERT_FALSE(table.open_stream(client, limits, kSecond));
    table.close_stream(client, kSecond);
    ASSERT_LE(table.size(), kMost + 1);
  }
  EXPECT_GT(table.size(), kMost / 2) << "some parts are fuller than others";
  EXPECT_TRUE(table.open_stream(kHeld, limits, kSecond)) << "what is open is never forgotten";
  EXPECT_FALSE(table.look_at_publish(kEarly, {.publishes = {.per_s = 1, .burst_s = 1}}, kSecond));
  // And in time all of them are.
  for (std::uint64_t client = 1; client < 1000; ++client) {
    (void)table.look_at_publish(client + 10 * kMost, limits, 10'000 * kSecond);
  }
  EXPECT_EQ(table.size(), 1U);
}

TEST(ClientTable, WhoIsHereNowIsTheLastToBeForgotten) {
  constexpr std::uint64_t kMost = ::tocsin::limits::kMaxRestingClients;
  ClientTable table({});
  const ClientLimits limits{.publishes = {.per_s = 1, .burst_s = 1}};
  table.count_publish(1, limits, 1'000'000, 0, kSecond);
  for (std::uint64_t client = 2; client < 2 * kMost; ++client) {
    table.count_publish(client, limits, 1'000'000, 0, kSecond);
    if (client % 1000 == 0) {
      ASSERT_TRUE(table.look_at_publish(1, limits, kSecond)) << client;
    }
  }
}

TEST(ClientTable, CountsRightFromSeveralThreads) {
  ClientTable table({});
  const ClientLimits limits{.streams = 3};
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (std::uint64_t turn = 0; turn < 20'000; ++turn) {
        const std::uint64_t client = 1 + turn % 5;
        if (!table.open_stream(client, limits, kSecond)) table.close_stream(client, kSecond);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(table.size(), 0U);
}

}  // namespace
}  // namespace tocsin::net
