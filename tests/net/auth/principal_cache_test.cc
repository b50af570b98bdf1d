#include "net/auth/principal_cache.h"

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace tocsin::net {
namespace {

PrincipalPtr named(std::string subject, std::optional<std::int64_t> expires_at_s = {}) {
  return std::make_shared<const Principal>(Principal{
      .kind = CredentialKind::token, .subject = std::move(subject), .expires_at_s = expires_at_s});
}
Digest number(int n) {
  return sha256(std::to_string(n));
}

TEST(PrincipalCache, FindsWhatWasPut) {
  PrincipalCache cache(1 << 20);
  EXPECT_EQ(cache.find(number(1), 0), nullptr);
  const PrincipalPtr one = named("one");
  cache.put(number(1), one);
  EXPECT_EQ(cache.find(number(1), 0), one);
  EXPECT_EQ(cache.find(number(2), 0), nullptr);
  cache.put(number(1), named("another"));
  EXPECT_EQ(cache.find(number(1), 0), one) << "the first stays";
}

TEST(PrincipalCache, ForgetsWhatHasExpired) {
  PrincipalCache cache(1 << 20);
  cache.put(number(1), named("one", 100));
  EXPECT_NE(cache.find(number(1), 99), nullptr);
  EXPECT_EQ(cache.find(number(1), 100), nullptr);
  EXPECT_EQ(cache.bytes(), 0U);
}

TEST(PrincipalCache, KeepsNothingForLongerThanItShould) {
  PrincipalCache cache(1 << 20);
  cache.put(number(1), named("one", 200), 100);
  cache.put(number(2), named("two", 50), 100);
  EXPECT_NE(cache.find(number(1), 99), nullptr);
  EXPECT_EQ(cache.find(number(1), 100), nullptr);
  EXPECT_EQ(cache.find(number(2), 50), nullptr) << "it has expired before";
  cache.put(number(1), named("one"), 300);
  EXPECT_NE(cache.find(number(1), 299), nullptr);
}

TEST(PrincipalCache, HasABound) {
  constexpr std::size_t kBound = 64 * 1024;
  PrincipalCache cache(kBound);
  for (int i = 0; i < 2000; ++i) {
    cache.put(number(i), named("somebody"));
    ASSERT_LE(cache.bytes(), kBound);
  }
  EXPECT_GT(cache.bytes(), kBound / 2) << "most of it is used";
  EXPECT_EQ(cache.find(number(0), 0), nullptr);
  EXPECT_NE(cache.find(number(1999), 0), nullptr);
  cache.put(number(5000), named(std::string(kBound, 'x')));
  EXPECT_EQ(cache.find(number(5000), 0), nullptr) << "larger than its part";
}

TEST(PrincipalCache, KeepsWhatIsAskedFor) {
  PrincipalCache cache(64 * 1024);
  cache.put(number(0), named("kept"));
  for (int i = 1; i < 2000; ++i) {
    cache.put(number(i), named("somebody"));
    ASSERT_NE(cache.find(number(0), 0), nullptr) << i;
  }
}

TEST(PrincipalCache, CanBeOff) {
  PrincipalCache cache(0);
  cache.put(number(1), named("one"));
  EXPECT_EQ(cache.find(number(1), 0), nullptr);
}

TEST(PrincipalCache, IsForSeveralThreads) {
  PrincipalCache cache(32 * 1024);
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 3000; ++i) {
        const int n = (i * (t + 1)) % 200;
        cache.put(number(n), named(std::to_string(n), 10));
        const PrincipalPtr found = cache.find(number(n), i % 7 == 0 ? 10 : 0);
        if (found != nullptr && found->subject != std::to_string(n)) ++wrong;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_LE(cache.bytes(), 32U * 1024);
}

}  // namespace
}  // namespace tocsin::net
