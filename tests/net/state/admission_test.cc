#include "net/state/admission.h"

#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace tocsin::net {
namespace {

constexpr std::uint64_t kSecond = 1'000'000;  // us

ServerOptions limits(std::uint32_t connections, std::uint32_t per_address = 0,
                     std::uint32_t rate = 0) {
  ServerOptions options;
  options.max_connections = connections;
  options.max_per_address = per_address;
  options.accept_rate = rate;
  return options;
}

TEST(TokenBucket, AllowsOneSecondsWorthAtOnceAndThenTheRate) {
  TokenBucket bucket;
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(bucket.take(10, kSecond)) << i;
  EXPECT_FALSE(bucket.take(10, kSecond));
  EXPECT_FALSE(bucket.take(10, kSecond + 99'000));
  EXPECT_TRUE(bucket.take(10, kSecond + 101'000));
  EXPECT_FALSE(bucket.take(10, kSecond + 102'000));
  // A long pause does not save up more than a second's worth.
  int taken = 0;
  while (bucket.take(10, 100 * kSecond)) ++taken;
  EXPECT_EQ(taken, 10);
}

TEST(TokenBucket, AClockThatStandsStillOrGoesBackGivesNothing) {
  TokenBucket bucket;
  while (bucket.take(5, 10 * kSecond)) {
  }
  EXPECT_FALSE(bucket.take(5, 9 * kSecond));
  EXPECT_FALSE(bucket.take(5, 9 * kSecond + 1));
}

TEST(TokenBucket, ZeroIsNoLimit) {
  TokenBucket bucket;
  for (int i = 0; i < 1000; ++i) EXPECT_TRUE(bucket.take(0, 1));
}

TEST(Admission, RefusesAtTheLimitAndAdmitsAgainWhenSomebodyLeft) {
  Admission admission;
  const ServerOptions options = limits(2);
  EXPECT_FALSE(admission.admit_stream(options, 0, 1).has_value());
  EXPECT_FALSE(admission.admit_stream(options, 0, 1).has_value());
  EXPECT_EQ(admission.admit_stream(options, 0, 1), Rejection::connection_limit);
  EXPECT_EQ(admission.streams(), 2U);
  admission.leave_stream(0);
  EXPECT_FALSE(admission.admit_stream(options, 0, 1).has_value());
}

TEST(Admission, CountsByAddress) {
  Admission admission;
  const ServerOptions options = limits(100, 2);
  EXPECT_FALSE(admission.admit_stream(options, 7, 1).has_value());
  EXPECT_FALSE(admission.admit_stream(options, 7, 1).has_value());
  EXPECT_EQ(admission.admit_stream(options, 7, 1), Rejection::address_limit);
  EXPECT_FALSE(admission.admit_stream(options, 8, 1).has_value());
  EXPECT_EQ(admission.streams(), 3U) << "who is refused does not count";
  admission.leave_stream(7);
  EXPECT_FALSE(admission.admit_stream(options, 7, 1).has_value());
}

TEST(Admission, CountsConnectionsThatAreNoStreamsApart) {
  Admission admission;
  const ServerOptions options = limits(100, 2);
  constexpr std::uint32_t kMost = ::tocsin::limits::kMinRequestsPerAddress;
  for (std::uint32_t i = 0; i < kMost; ++i) {
    EXPECT_FALSE(admission.admit_request(options, 7).has_value()) << i;
  }
  EXPECT_EQ(admission.admit_request(options, 7), Rejection::address_limit);
  EXPECT_FALSE(admission.admit_request(options, 8).has_value());
  EXPECT_FALSE(admission.admit_stream(options, 7, 1).has_value());
  admission.leave_request(7);
  EXPECT_FALSE(admission.admit_request(options, 7).has_value());
  EXPECT_EQ(admission.admit_request(options, 7), Rejection::address_limit);
  EXPECT_EQ(admission.streams(), 1U);
  // As many as streams, where that is more.
  EXPECT_FALSE(admission.admit_request(limits(1, kMost + 1), 7).has_value());
  EXPECT_EQ(admission.admit_request(limits(1, kMost + 1), 7), Rejection::address_limit);
}

TEST(Admission, WhoIsRefusedForTheAddressCostsNoToken) {
  Admission admission;
  const ServerOptions options = limits(100, 1, 2);
  EXPECT_FALSE(admission.admit_stream(options, 7, kSecond).has_value());
  EXPECT_EQ(admission.admit_stream(options, 7, kSecond), Rejection::address_limit);
  EXPECT_FALSE(admission.admit_stream(options, 8, kSecond).has_value());
  EXPECT_EQ(admission.admit_stream(options, 9, kSecond), Rejection::accept_rate);
}

// The limit is switched on while streams are open that were never counted by address.
TEST(Admission, StreamsFromBeforeAnAddressLimitLeaveQuietly) {
  Admission admission;
  EXPECT_FALSE(admission.admit_stream(limits(10), 0, 1).has_value());
  EXPECT_FALSE(admission.admit_stream(limits(10, 1), 7, 1).has_value());
  admission.leave_stream(0);
  admission.leave_stream(7);
  EXPECT_EQ(admission.streams(), 0U);
}

TEST(Admission, NeverAdmitsMoreThanTheLimitFromSeveralThreads) {
  Admission admission;
  const ServerOptions options = limits(50, 30);
  std::atomic<int> open{0};
  std::atomic<int> most{0};
  std::vector<std::thread> threads;
  for (std::uint64_t key = 1; key <= 4; ++key) {
    threads.emplace_back([&, key] {
      for (int i = 0; i < 20'000; ++i) {
        if (admission.admit_stream(options, key, 1)) continue;
        const int now = ++open;
        int before = most.load();
        while (before < now && !most.compare_exchange_weak(before, now)) {
        }
        --open;
        admission.leave_stream(key);
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_LE(most, 50);
  EXPECT_EQ(admission.streams(), 0U);
}

}  // namespace
}  // namespace tocsin::net
