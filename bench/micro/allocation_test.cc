// I7: no allocation per delivery. The shard and its outbox run on a kernel that takes every byte,
// so what is counted is the hub's own.
#include <string>

#include <gtest/gtest.h>

#include "bench/micro/allocation_count.h"
#include "bench/micro/null_kernel.h"

namespace tocsin::bench {
namespace {

constexpr int kRounds = 200;

std::string post_request() {
  return "POST /publish?stream=events HTTP/1.1\r\nHost: h\r\nContent-Length: 174\r\n\r\n" +
         std::string(174, 'x');
}

TEST(Allocation, IsCounted) {
  const std::uint64_t before = allocations();
  // The test's own need: a plain new expression may be left out by the compiler.
  ::operator delete(::operator new(64));
  EXPECT_EQ(allocations() - before, 1U);
}

class PerDelivery : public testing::TestWithParam<proto::Framing> {};
INSTANTIATE_TEST_SUITE_P(Allocation, PerDelivery,
                         testing::Values(proto::Framing::close, proto::Framing::chunked));

TEST_P(PerDelivery, None) {
  NullShard shard(1000, GetParam());
  const std::string body = "data: " + std::string(174, 'x') + "\n";
  for (int i = 0; i < kRounds; ++i) {  // capacities grow to what they need
    shard.publish(body);
    ASSERT_TRUE(shard.deliver());
  }
  std::uint64_t taken = 0;
  for (int i = 0; i < kRounds; ++i) {
    shard.publish(body);
    const std::uint64_t before = allocations();
    ASSERT_TRUE(shard.deliver());
    taken += allocations() - before;
  }
  EXPECT_EQ(taken, 0U) << "in " << kRounds << " broadcasts to 1,000";
}

// What a publish takes does not depend on how many subscribers there are.
TEST(Allocation, OfAPublishIsSmallAndTheSameForAnyNumberOfSubscribers) {
  const std::string request = post_request();
  const auto per_publish = [&](std::size_t subscribers) {
    NullShard shard(subscribers);
    for (int i = 0; i < kRounds; ++i) EXPECT_TRUE(shard.post(request));
    const std::uint64_t before = allocations();
    for (int i = 0; i < kRounds; ++i) EXPECT_TRUE(shard.post(request));
    return static_cast<double>(allocations() - before) / kRounds;
  };
  const double one = per_publish(1);
  const double many = per_publish(2000);
  RecordProperty("allocations_per_publish", std::to_string(one));
  EXPECT_LE(one, 12);
  EXPECT_NEAR(one, many, 0.5);
}

}  // namespace
}  // namespace tocsin::bench
