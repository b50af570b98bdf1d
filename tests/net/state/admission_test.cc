#include "net/state/admission.h"

#include <atomic>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "proto/limits.h"

namespace tocsin::net {
namespace {

constexpr std::uint64_t kSecond = 1'000'000;  // us
constexpr std::uint64_t kBurst = ::tocsin::limits::kClientBurstS;

ServerOptions limits(std::uint32_t connections, std::uint32_t per_address = 0,
                     std::uint32_t rate = 0) {
  ServerOptions options;
  options.max_connections = connections;
  options.max_per_address = per_address;
  options.accept_rate = rate;
  return options;
}

// Whoever has no other limit than that of its address.
ClientKeys from(std::uint64_t address) {
  return {.address = address};
}

// Nothing: it was admitted.
std::optional<Rejection> why(const std::optional<AdmissionRefusal>& refusal) {
  return refusal ? std::optional(refusal->why) : std::nullopt;
}

TEST(Admission, RefusesAtTheLimitAndAdmitsAgainWhenSomebodyLeft) {
  Admission admission;
  const ServerOptions options = limits(2);
  EXPECT_FALSE(admission.admit_stream(options, {}, 1).has_value());
  EXPECT_FALSE(admission.admit_stream(options, {}, 1).has_value());
  EXPECT_EQ(why(admission.admit_stream(options, {}, 1)), Rejection::connection_limit);
  EXPECT_EQ(admission.streams(), 2U);
  admission.leave_stream({}, 1);
  EXPECT_FALSE(admission.admit_stream(options, {}, 1).has_value());
}

TEST(Admission, CountsByAddress) {
  Admission admission;
  const ServerOptions options = limits(100, 2);
  EXPECT_FALSE(admission.admit_stream(options, from(7), 1).has_value());
  EXPECT_FALSE(admission.admit_stream(options, from(7), 1).has_value());
  EXPECT_EQ(admission.admit_stream(options, from(7), 1),
            (AdmissionRefusal{.why = Rejection::address_limit, .limit = 2}));
  EXPECT_FALSE(admission.admit_stream(options, from(8), 1).has_value());
  EXPECT_EQ(admission.streams(), 3U) << "who is refused does not count";
  admission.leave_stream(from(7), 1);
  EXPECT_FALSE(admission.admit_stream(options, from(7), 1).has_value());
}

TEST(Admission, CountsBySubjectWhereverItComesFrom) {
  Admission admission;
  ServerOptions options = limits(100);
  options.max_per_subject = 2;
  const std::uint64_t subject = admission.subject_key("u1");
  EXPECT_EQ(subject, admission.subject_key("u1"));
  EXPECT_NE(subject, admission.subject_key("u2"));
  EXPECT_EQ(admission.subject_key(""), 0U) << "nobody in particular";
  const auto at = [subject](std::uint64_t address) {
    return ClientKeys{.address = address, .subject = subject};
  };
  EXPECT_FALSE(admission.admit_stream(options, at(7), 1).has_value());
  EXPECT_FALSE(admission.admit_stream(options, at(8), 1).has_value());
  EXPECT_EQ(why(admission.admit_stream(options, at(9), 1)), Rejection::subject_limit);
  EXPECT_FALSE(admission.admit_stream(options, from(9), 1).has_value());
  admission.leave_stream(at(7), 1);
  EXPECT_FALSE(admission.admit_stream(options, at(9), 1).has_value());
  EXPECT_EQ(admission.streams(), 3U);
}

TEST(Admission, WhoIsRefusedForTheSubjectIsNotCountedByAddress) {
  Admission admission;
  ServerOptions options = limits(100, 1);
  options.max_per_subject = 1;
  options.open_rate_per_address = 1;
  const std::uint64_t subject = admission.subject_key("u1");
  const ClientKeys one{.address = 7, .subject = subject};
  const ClientKeys other{.address = 8, .subject = subject};
  EXPECT_FALSE(admission.admit_stream(options, one, kSecond).has_value());
  // More often than the rate of its address allows.
  for (std::uint64_t i = 0; i < 2 * kBurst; ++i) {
    EXPECT_EQ(why(admission.admit_stream(options, other, kSecond)), Rejection::subject_limit);
  }
  EXPECT_FALSE(admission.admit_stream(options, from(8), kSecond).has_value());
  EXPECT_EQ(why(admission.admit_stream(options, from(8), kSecond)), Rejection::address_limit);
}

TEST(Admission, CountsConnectionsThatAreNoStreamsApart) {
  Admission admission;
  const ServerOptions options = limits(100, 2);
  constexpr std::uint32_t kMost = ::tocsin::limits::kMinRequestsPerAddress;
  for (std::uint32_t i = 0; i < kMost; ++i) {
    EXPECT_FALSE(admission.admit_request(options, 7, 1).has_value()) << i;
  }
  EXPECT_EQ(admission.admit_request(options, 7, 1),
            (AdmissionRefusal{.why = Rejection::address_limit, .limit = kMost}));
  EXPECT_FALSE(admission.admit_request(options, 8, 1).has_value());
  EXPECT_FALSE(admission.admit_stream(options, from(7), 1).has_value());
  admission.leave_request(7, 1);
  EXPECT_FALSE(admission.admit_request(options, 7, 1).has_value());
  EXPECT_EQ(why(admission.admit_request(options, 7, 1)), Rejection::address_limit);
  EXPECT_EQ(admission.streams(), 1U);
  // As many as streams, where that is more.
  EXPECT_FALSE(admission.admit_request(limits(1, kMost + 1), 7, 1).has_value());
  EXPECT_EQ(why(admission.admit_request(limits(1, kMost + 1), 7, 1)), Rejection::address_limit);
}

TEST(Admission, WhoIsRefusedForTheAddressCostsNoToken) {
  Admission admission;
  const ServerOptions options = limits(100, 1, 2);
  EXPECT_FALSE(admission.admit_stream(options, from(7), kSecond).has_value());
  EXPECT_EQ(why(admission.admit_stream(options, from(7), kSecond)), Rejection::address_limit);
  EXPECT_FALSE(admission.admit_stream(options, from(8), kSecond).has_value());
  EXPECT_EQ(why(admission.admit_stream(options, from(9), kSecond)), Rejection::accept_rate);
}

TEST(Admission, WhoIsRefusedForTheHubsRateKeepsItsOwnTokensAndPlace) {
  Admission admission;
  ServerOptions options = limits(100, 1, 1);
  options.open_rate_per_address = 1;
  options.open_rate_per_subject = 1;
  options.max_per_subject = 1;
  const ClientKeys ann{.address = 8, .subject = admission.subject_key("ann")};
  EXPECT_FALSE(admission.admit_stream(options, from(7), kSecond).has_value());
  for (std::uint64_t i = 0; i < 2 * kBurst; ++i) {
    EXPECT_EQ(why(admission.admit_stream(options, ann, kSecond)), Rejection::accept_rate);
  }
  options.accept_rate = 0;
  EXPECT_FALSE(admission.admit_stream(options, ann, kSecond).has_value());
}

TEST(Admission, SaysWhenAnAddressMayOpenAgain) {
  Admission admission;
  ServerOptions options = limits(100);
  options.open_rate_per_address = 2;
  for (std::uint64_t i = 0; i < 2 * kBurst; ++i) {
    EXPECT_FALSE(admission.admit_stream(options, from(7), kSecond).has_value()) << i;
    admission.leave_stream(from(7), kSecond);
  }
  EXPECT_EQ(admission.admit_stream(options, from(7), kSecond),
            (AdmissionRefusal{
                .why = Rejection::address_opens, .limit = 2, .wait_us = kSecond / 2}));
  EXPECT_FALSE(admission.admit_stream(options, from(8), kSecond).has_value());
  EXPECT_FALSE(admission.admit_stream(options, from(7), kSecond + kSecond / 2).has_value());
}

TEST(Admission, LimitsWhatAnAddressAndASubjectPublish) {
  Admission admission;
  ServerOptions options;
  options.publish_rate_per_address = 10;
  options.publish_bytes_per_subject = 1000;
  const ClientKeys client{.address = 7, .subject = admission.subject_key("u1")};
  EXPECT_FALSE(admission.refuse_publish(options, client, kSecond).has_value());
  admission.count_publish(options, client, 10 * kBurst, 1, kSecond);
  EXPECT_EQ(admission.refuse_publish(options, client, kSecond),
            (AdmissionRefusal{
                .why = Rejection::address_publishes, .limit = 10, .wait_us = kSecond / 10}));
  const ClientKeys elsewhere{.address = 8, .subject = client.subject};
  EXPECT_FALSE(admission.refuse_publish(options, elsewhere, kSecond).has_value());
  // One that is larger than a burst goes through, and is paid for afterwards.
  admission.count_publish(options, elsewhere, 1, 1000 * (kBurst + 5), kSecond);
  EXPECT_EQ(why(admission.refuse_publish(options, elsewhere, 5 * kSecond)),
            Rejection::subject_bytes);
  EXPECT_FALSE(admission.refuse_publish(options, elsewhere, 7 * kSecond).has_value());
}

// The limit is switched on while streams are open that were never counted by address.
TEST(Admission, StreamsFromBeforeAnAddressLimitLeaveQuietly) {
  Admission admission;
  EXPECT_FALSE(admission.admit_stream(limits(10), {}, 1).has_value());
  EXPECT_FALSE(admission.admit_stream(limits(10, 1), from(7), 1).has_value());
  admission.leave_stream({}, 1);
  admission.leave_stream(from(7), 1);
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
        if (admission.admit_stream(options, from(key), 1)) continue;
        const int now = ++open;
        int before = most.load();
        while (before < now && !most.compare_exchange_weak(before, now)) {
        }
        --open;
        admission.leave_stream(from(key), 1);
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_LE(most, 50);
  EXPECT_EQ(admission.streams(), 0U);
}

TEST(Admission, KnowsWhetherAnyLimitOnAClientIsSet) {
  EXPECT_FALSE(limits_clients(ServerOptions{}));
  EXPECT_TRUE(limits_clients(limits(1, 1)));
  ServerOptions options;
  options.publish_bytes_per_subject = std::uint64_t{1} << 33;
  EXPECT_TRUE(limits_clients(options));
}

}  // namespace
}  // namespace tocsin::net
