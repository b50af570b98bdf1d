// A page of what is older than memory: the frames that were live, for who wants them.
#include "net/state/past/past_page.h"

#include <algorithm>
#include <array>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "core/hub.h"
#include "proto/limits.h"
#include "tests/net/support/test_client.h"

namespace tocsin::net {
namespace {

constexpr proto::Epoch kEpoch = 7;

std::string bytes_of(const std::vector<core::Piece>& pieces) {
  std::string bytes;
  for (const core::Piece& piece : pieces) bytes += piece.bytes();
  return bytes;
}

class PastPageTest : public testing::Test {
 protected:
  // Into the hub, and into the page.
  void publish(std::string_view topic, std::string_view id, const std::string& body) {
    const core::NewEvent event{.topic = topic, .id = id, .body = body};
    const auto published = hub_.publish({&event, 1}, 0).value();
    EXPECT_TRUE(page_.take({published.epoch, published.last}, event));
  }
  std::vector<core::TopicCursor> topics(const std::vector<std::string_view>& names) {
    return hub_.subscribe(names, {.kind = core::Resume::Kind::earliest}, 0, 0)->topics;
  }
  std::vector<core::Piece> read(const std::vector<core::TopicCursor>& topics, core::Sequence after,
                                std::size_t max_bytes = SIZE_MAX, std::size_t most = SIZE_MAX) {
    std::vector<core::Piece> pieces;
    page_.read(topics, after, max_bytes, most, pieces);
    return pieces;
  }

  core::Hub hub_{kEpoch, 1, {}};
  PastPage page_;
};

TEST_F(PastPageTest, WhatItGivesIsWhatTheLogGave) {
  std::mt19937_64 random(test_seed());
  for (int i = 0; i < 500; ++i) {
    publish(std::array{"a", "b", "c", "d"}[random() % 4], random() % 3 == 0 ? "é" : "",
            "data: " + std::string(random() % 400, 'x') + "\n");
  }
  page_.begin_behind(0);
  EXPECT_EQ(page_.last(), 500U);
  for (const auto& names : std::vector<std::vector<std::string_view>>{
           {"a"}, {"b", "d"}, {"a", "b", "c", "d"}, {"a", "nowhere"}, {"nowhere"}}) {
    const auto wanted = topics(names);
    const core::Sequence after = random() % 500;
    std::vector<core::Piece> log;
    (void)hub_.read(wanted, after, SIZE_MAX, SIZE_MAX, log);
    EXPECT_EQ(bytes_of(read(wanted, after)), bytes_of(log)) << names.front() << " " << after;
    // By and by, as a socket takes it.
    std::string parts;
    core::Sequence at = after;
    for (auto some = read(wanted, at, 1000, 3); !some.empty(); some = read(wanted, at, 1000, 3)) {
      ASSERT_LE(some.size(), 3U);
      parts += bytes_of(some);
      at = some.back().last_sequence();
    }
    EXPECT_EQ(parts, bytes_of(log));
  }
}

TEST_F(PastPageTest, AFrameThatIsTooLargeForASendComesAlone) {
  publish("a", "", "data: " + std::string(5000, 'x') + "\n");
  publish("a", "", "data: y\n");
  const auto wanted = topics({"a"});
  ASSERT_EQ(read(wanted, 0, 100).size(), 1U);
  EXPECT_EQ(read(wanted, 0, 100).front().last_sequence(), 1U);
}

TEST_F(PastPageTest, ATopicIsReadAboveItsFrom) {
  for (int i = 0; i < 10; ++i) publish(i % 2 == 0 ? "a" : "b", "", "data: x\n");
  auto wanted = topics({"a", "b"});
  wanted[0].from = 6;
  const auto pieces = read(wanted, 0);
  ASSERT_FALSE(pieces.empty());
  EXPECT_EQ(pieces.front().first_sequence(), 2U);
  std::size_t events = 0;
  for (const core::Piece& piece : pieces) events += piece.last - piece.first;
  EXPECT_EQ(events, 7U);
}

TEST_F(PastPageTest, ItIsFull) {
  const std::string body = "data: x\n";
  const core::NewEvent event{.topic = "a", .id = {}, .body = body};
  core::Sequence taken = 0;
  while (page_.take({kEpoch, taken + 1}, event)) ++taken;
  EXPECT_EQ(taken, limits::kMaxReplayEvents);
  EXPECT_LE(page_.bytes(), limits::kMaxReplayPage + 64 * limits::kKiB);
  PastPage other;
  const std::string large = "data: " + std::string(limits::kMaxReplayPage, 'x') + "\n";
  EXPECT_TRUE(other.take({kEpoch, 1}, {.topic = "a", .id = {}, .body = large}))
      << "an event has a page, however large";
  EXPECT_FALSE(other.take({kEpoch, 2}, {.topic = "a", .id = {}, .body = large}));
}

TEST_F(PastPageTest, OneWithoutEventsSaysHowFarItGoes) {
  page_.begin_behind(30);
  EXPECT_EQ(page_.above(), 30U);
  EXPECT_EQ(page_.last(), 30U);
  EXPECT_TRUE(read(topics({"a"}), 0).empty());
}

}  // namespace
}  // namespace tocsin::net
