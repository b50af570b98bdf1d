#include "net/state/presence.h"

#include <algorithm>
#include <map>
#include <random>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "proto/limits.h"
#include "tests/net/support/test_client.h"

namespace tocsin::net {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;

class PresenceTest : public testing::Test {
 protected:
  [[nodiscard]] std::vector<std::string> told(std::size_t most = 100) {
    std::vector<std::string> data;
    for (const Presence::News& news : presence_.take(most)) {
      EXPECT_TRUE(news.topic.starts_with(kPresencePrefix));
      EXPECT_TRUE(news.data.contains("\"topic\":\"" + news.topic.substr(9) + "\"")) << news.data;
      data.push_back(news.data.substr(news.data.find("\"joined\"")));
    }
    return data;
  }
  Presence presence_{core::HashKey{}};
};

TEST_F(PresenceTest, TheFirstStreamJoinsAndTheLastLeaves) {
  const auto one = presence_.join({"a"}, "ann");
  EXPECT_THAT(told(), ElementsAre(R"("joined":["ann"],"left":[],"subjects":1})"));
  const auto two = presence_.join({"a"}, "ann");
  presence_.leave(one);
  EXPECT_THAT(told(), IsEmpty());
  presence_.leave(two);
  EXPECT_THAT(told(), ElementsAre(R"("joined":[],"left":["ann"],"subjects":0})"));
  EXPECT_EQ(presence_.size(), 0U);
}

// A page that is loaded again.
TEST_F(PresenceTest, WhoIsBackBeforeItIsToldWasNeverGone) {
  auto place = presence_.join({"a"}, "ann");
  (void)told();
  presence_.leave(place);
  place = presence_.join({"a"}, "ann");
  EXPECT_THAT(told(), IsEmpty());
  presence_.leave(presence_.join({"a"}, "bob"));
  EXPECT_THAT(told(), IsEmpty()) << "who was gone before was never there";
  EXPECT_EQ(presence_.size(), 1U);
  presence_.leave(place);
  EXPECT_THAT(told(), ElementsAre(R"("joined":[],"left":["ann"],"subjects":0})"));
}

TEST_F(PresenceTest, NamesAreQuoted) {
  const auto place = presence_.join({"a"}, "\"\\\xc3\xa9");
  EXPECT_THAT(told(), ElementsAre("\"joined\":[\"\\\"\\\\\xc3\xa9\"],\"left\":[],\"subjects\":1}"));
  presence_.leave(place);
}

TEST_F(PresenceTest, ManyChangesComeInParts) {
  std::vector<Presence::Places> places;
  const std::size_t many = limits::kMaxPresenceNames * 2 + 1;
  for (std::size_t i = 0; i < many; ++i) {
    places.push_back(presence_.join({"a", "b"}, fmt::format("u{}", i)));
  }
  std::map<std::string, std::size_t> names;
  for (std::size_t most : {1U, 2U, 100U, 100U}) {
    const auto news = presence_.take(most);
    EXPECT_LE(news.size(), most);
    for (const Presence::News& one : news) {
      const auto in_this = static_cast<std::size_t>(std::ranges::count(one.data, 'u')) - 1;
      EXPECT_LE(in_this, limits::kMaxPresenceNames);
      names[one.topic] += in_this;
    }
  }
  EXPECT_THAT(presence_.take(100), IsEmpty());
  EXPECT_THAT(names, ElementsAre(Pair("presence/a", many), Pair("presence/b", many)));
  for (const auto& place : places) presence_.leave(place);
}

TEST_F(PresenceTest, ThereIsABound) {
  std::vector<Presence::Places> places;
  for (std::size_t i = 0; i < limits::kMaxPresence; i += 100) {
    std::vector<std::string> names;
    for (int t = 0; t < 100; ++t) names.push_back(fmt::format("t{}", t));
    const std::vector<std::string_view> topics(names.begin(), names.end());
    places.push_back(presence_.join(topics, fmt::format("u{}", i)));
  }
  EXPECT_EQ(presence_.size(), limits::kMaxPresence);
  const auto none = presence_.join({"t0", "t1"}, "one more");
  EXPECT_THAT(none, IsEmpty());
  EXPECT_EQ(presence_.uncounted(), 2U);
  const auto known = presence_.join({"t0"}, "u0");
  EXPECT_EQ(known.size(), 1U);
  presence_.leave(known);
  presence_.leave(none);
  for (const auto& place : places) presence_.leave(place);
  while (!presence_.take(100).empty() || presence_.size() > 0) {
  }
  EXPECT_EQ(presence_.join({"t0"}, "one more").size(), 1U);
}

// Whoever adds up what is told knows who is there.
TEST_F(PresenceTest, WhatIsToldAddsUp) {
  std::mt19937_64 random(test_seed());
  const std::vector<std::string> topics{"a", "b", "c"};
  std::vector<std::pair<std::pair<std::vector<std::string_view>, std::string>, Presence::Places>>
      streams;
  std::map<std::string, std::set<std::string>> known;
  const auto add_up = [&] {
    for (const Presence::News& news : presence_.take(1 + random() % 3)) {
      auto& there = known[news.topic.substr(9)];
      const std::size_t left = news.data.find("\"left\"");
      for (std::size_t at = news.data.find("\"u"); at != std::string::npos;
           at = news.data.find("\"u", at + 1)) {
        const std::string name = news.data.substr(at + 1, news.data.find('"', at + 1) - at - 1);
        const bool changed = at < left ? there.insert(name).second : there.erase(name) > 0;
        EXPECT_TRUE(changed) << name << " is told twice";
      }
      EXPECT_TRUE(news.data.ends_with(fmt::format("\"subjects\":{}}}", there.size())) ||
                  there.size() > limits::kMaxPresenceNames)
          << news.data;
    }
  };
  for (int step = 0; step < 20'000; ++step) {
    if (streams.size() < 40 && random() % 2 == 0) {
      std::vector<std::string_view> reads;
      for (const std::string& topic : topics) {
        if (random() % 2 == 0) reads.push_back(topic);
      }
      const std::string name = fmt::format("u{}", random() % 12);
      auto places = presence_.join(reads, name);
      streams.push_back({{reads, name}, std::move(places)});
    } else if (!streams.empty()) {
      const auto one = streams.begin() + static_cast<std::ptrdiff_t>(random() % streams.size());
      presence_.leave(one->second);
      streams.erase(one);
    }
    if (random() % 20 == 0) add_up();
  }
  for (int i = 0; i < 10; ++i) add_up();
  std::map<std::string, std::set<std::string>> there;
  for (const auto& [stream, places] : streams) {
    const auto& [reads, subject] = stream;
    for (const std::string_view topic : reads) there[std::string(topic)].insert(subject);
  }
  for (const std::string& topic : topics) EXPECT_EQ(known[topic], there[topic]) << topic;
  for (const auto& [stream, places] : streams) presence_.leave(places);
}

}  // namespace
}  // namespace tocsin::net
