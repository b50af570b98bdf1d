#include "tools/load/events/payload.h"

#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>

#include <gtest/gtest.h>

namespace tocsin::load {
namespace {

constexpr std::uint32_t kRun = 0x7a11c0de;

std::uint64_t seed_of_test() {
  const char* given = std::getenv("TOCSIN_SEED");
  const std::uint64_t seed =
      given != nullptr ? std::strtoull(given, nullptr, 0) : std::random_device{}();
  std::printf("TOCSIN_SEED=%llu\n", static_cast<unsigned long long>(seed));
  return seed;
}

std::string payload(const PayloadFormat& format, const Stamp& stamp, std::size_t bytes) {
  std::string data(bytes, '?');
  format.write(stamp, bytes, data.data());
  return data;
}

Stamp random_stamp(std::mt19937_64& random) {
  return {.lane = static_cast<std::uint32_t>(random() % kMaxLanes),
          .number = random() >> 24,
          .due_ns = random()};
}

TEST(PayloadFormat, ReadsWhatItWrites) {
  std::mt19937_64 random(seed_of_test());
  const PayloadFormat format(kRun, 3000);
  for (int i = 0; i < 2000; ++i) {
    const Stamp stamp = random_stamp(random);
    const std::size_t bytes = kPayloadHead + random() % (3000 - kPayloadHead + 1);
    Stamp back;
    ASSERT_EQ(format.read(payload(format, stamp, bytes), back), Verdict::good);
    ASSERT_EQ(back, stamp);
  }
}

TEST(PayloadFormat, TakesTheLargestValuesAndSizes) {
  const PayloadFormat format(~0U, kMaxPayload);
  const Stamp stamp{.lane = kMaxLanes - 1, .number = (1ULL << 40) - 1, .due_ns = ~0ULL};
  for (const std::size_t bytes : {kPayloadHead, kMaxPayload}) {
    Stamp back;
    EXPECT_EQ(format.read(payload(format, stamp, bytes), back), Verdict::good);
    EXPECT_EQ(back, stamp);
  }
}

TEST(PayloadFormat, LooksAsItsHeaderSays) {
  const PayloadFormat format(kRun, 80);
  const std::string data = payload(format, {.lane = 0xabc, .number = 0x12, .due_ns = 0xff}, 80);
  EXPECT_EQ(data.substr(0, 52), "7a11c0de.000abc0000000012.00000000000000ff.00000050.");
  EXPECT_EQ(data[60], '.');
  EXPECT_EQ(
      data.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789."),
      std::string::npos);
}

TEST(PayloadFormat, SeesEveryFlippedByte) {
  std::mt19937_64 random(seed_of_test());
  const PayloadFormat format(kRun, 200);
  const std::string good = payload(format, random_stamp(random), 200);
  for (std::size_t at = 0; at < good.size(); ++at) {
    for (int flip = 1; flip < 256; ++flip) {
      std::string data = good;
      data[at] = static_cast<char>(data[at] ^ flip);
      Stamp stamp;
      ASSERT_EQ(format.read(data, stamp), Verdict::corrupt) << at << " ^ " << flip;
    }
  }
}

TEST(PayloadFormat, SeesEveryTruncationAndEveryMissingByte) {
  std::mt19937_64 random(seed_of_test());
  const PayloadFormat format(kRun, 200);
  const std::string good = payload(format, random_stamp(random), 200);
  Stamp stamp;
  for (std::size_t at = 0; at < good.size(); ++at) {
    EXPECT_EQ(format.read(good.substr(0, at), stamp), Verdict::corrupt) << at;
    std::string data = good;
    data.erase(at, 1);
    EXPECT_EQ(format.read(data, stamp), Verdict::corrupt) << at;
    if (at > 0) {
      EXPECT_EQ(format.read(good.substr(at), stamp), Verdict::corrupt) << at;
    }
  }
}

TEST(PayloadFormat, FindsThePayloadInWhatAServerWrapsItIn) {
  const PayloadFormat format(kRun, 200);
  const Stamp sent{.lane = 3, .number = 4, .due_ns = 5};
  const std::string data = payload(format, sent, 150);
  const std::string fronts[] = {"", "{\"data\":\"", "x.y.", "7a11c0de.", "7a11c0d"};
  for (const std::string& front : fronts) {
    Stamp stamp;
    EXPECT_EQ(format.read(front + data + "\",\"id\":17}", stamp), Verdict::good) << front;
    EXPECT_EQ(stamp, sent);
    std::string broken = front + data;
    broken.back() = '!';
    EXPECT_EQ(format.read(broken, stamp), Verdict::corrupt) << front;
    EXPECT_EQ(format.read((front + data).substr(0, front.size() + 149), stamp), Verdict::corrupt);
  }
}

TEST(PayloadFormat, KnowsEventsOfAnotherRun) {
  const PayloadFormat format(kRun, 200);
  const PayloadFormat other(kRun + 1, 4000);
  for (const std::size_t bytes : {kPayloadHead, std::size_t{200}, std::size_t{4000}}) {
    const std::string data = payload(other, {.lane = 1, .number = 2, .due_ns = 3}, bytes);
    Stamp stamp{.lane = 9, .number = 9, .due_ns = 9};
    EXPECT_EQ(format.read(data, stamp), Verdict::foreign);
    EXPECT_EQ(format.read("{\"a\":\"" + data + "\"}", stamp), Verdict::foreign);
    EXPECT_EQ(format.read(data.substr(0, bytes - 1), stamp), Verdict::corrupt);
    EXPECT_EQ(stamp, (Stamp{.lane = 9, .number = 9, .due_ns = 9}));
  }
  Stamp stamp;
  EXPECT_EQ(format.read("", stamp), Verdict::corrupt);
  EXPECT_EQ(format.read(std::string(500, '.'), stamp), Verdict::corrupt);
}

}  // namespace
}  // namespace tocsin::load
