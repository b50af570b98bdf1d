// Epochs: where an id of each is in the history, checked against the histories written out.
#include "core/epochs.h"

#include <map>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "proto/limits.h"
#include "tests/core/hub_fixture.h"

namespace tocsin::core {
namespace {

TEST(EpochsTest, OneEpochKnowsAllOfItsEvents) {
  const Epochs epochs(7);
  EXPECT_EQ(epochs.current(), 7U);
  EXPECT_EQ(epochs.position({.epoch = 7, .sequence = 0}, 3), 0U);
  EXPECT_EQ(epochs.position({.epoch = 7, .sequence = 3}, 3), 3U);
  EXPECT_EQ(epochs.position({.epoch = 7, .sequence = 4}, 3), std::nullopt) << "from the future";
  EXPECT_FALSE(epochs.has(8));
  EXPECT_EQ(epochs.of(1), 7U);
  EXPECT_EQ(epochs.of(~Sequence{0}), 7U);
}

TEST(EpochsTest, AnOlderEpochEndsAtItsFork) {
  Epochs epochs(7);
  epochs.fork(9, 100);
  EXPECT_EQ(epochs.current(), 9U);
  EXPECT_TRUE(epochs.has(7));
  EXPECT_EQ(epochs.position({.epoch = 7, .sequence = 100}, 200), 100U);
  EXPECT_EQ(epochs.position({.epoch = 7, .sequence = 101}, 200), std::nullopt);
  EXPECT_EQ(epochs.position({.epoch = 9, .sequence = 101}, 200), 101U);
  EXPECT_EQ(epochs.position({.epoch = 9, .sequence = 50}, 200), 50U) << "a position, not an event";
  EXPECT_EQ(epochs.position({.epoch = 7, .sequence = 90}, 80), std::nullopt) << "not there yet";
  EXPECT_EQ(epochs.of(100), 7U);
  EXPECT_EQ(epochs.of(101), 9U);
}

TEST(EpochsTest, AForkFurtherBackTakesFromAllBeforeIt) {
  Epochs epochs(1);
  epochs.fork(2, 100);
  epochs.fork(3, 150);
  epochs.fork(4, 120);
  epochs.fork(5, 60);
  for (const proto::Epoch old : {1U, 2U, 3U, 4U}) {
    EXPECT_EQ(epochs.position({.epoch = old, .sequence = 60}, 500), 60U) << old;
    EXPECT_EQ(epochs.position({.epoch = old, .sequence = 61}, 500), std::nullopt) << old;
  }
  EXPECT_EQ(epochs.of(60), 1U);
  EXPECT_EQ(epochs.of(61), 5U);
  epochs.fork(6, 0);
  EXPECT_EQ(epochs.position({.epoch = 1, .sequence = 0}, 9), 0U);
  EXPECT_EQ(epochs.position({.epoch = 1, .sequence = 1}, 9), std::nullopt);
}

TEST(EpochsTest, TheOldestIsForgottenAtTheBound) {
  Epochs epochs(1);
  for (proto::Epoch next = 2; next <= limits::kMaxEpochs + 1; ++next) epochs.fork(next, 10 * next);
  EXPECT_EQ(epochs.size(), limits::kMaxEpochs);
  EXPECT_FALSE(epochs.has(1));
  EXPECT_EQ(epochs.position({.epoch = 2, .sequence = 30}, 9999), 30U);
  EXPECT_EQ(epochs.of(5), 2U) << "in which it is a position, too";
}

TEST(EpochsTest, WhatIsKeptElsewhereIsTheSame) {
  Epochs epochs(7);
  for (const auto& [epoch, fork] : {std::pair{9U, 100U}, {8U, 60U}, {3U, 60U}}) {
    const auto copy =
        Epochs::kept(epochs.current(), {epochs.older().begin(), epochs.older().end()});
    EXPECT_EQ(copy, epochs);
    epochs.fork(epoch, fork);
  }
  EXPECT_EQ(epochs.older().size(), 3U);
  EXPECT_EQ(epochs.older().front(), (Epochs::Older{.epoch = 7, .end = 60}));
}

TEST(EpochsTest, WhatNoHistoryCanBeIsRefused) {
  using List = std::vector<Epochs::Older>;
  EXPECT_FALSE(Epochs::kept(1, List{{2, 5}, {3, 4}})) << "ends rise";
  EXPECT_FALSE(Epochs::kept(1, List{{2, 5}, {2, 6}})) << "twice";
  EXPECT_FALSE(Epochs::kept(1, List{{1, 5}})) << "the current one";
  List many;
  for (proto::Epoch epoch = 2; epoch <= limits::kMaxEpochs; ++epoch) many.push_back({epoch, 1});
  EXPECT_TRUE(Epochs::kept(1, many));
  many.push_back({1000, 1});
  EXPECT_FALSE(Epochs::kept(1, many));
}

// The definition itself: an id is a position exactly where both histories are the same up to it.
TEST(EpochsTest, RandomForksAgreeWithTheHistoriesThemselves) {
  std::mt19937_64 random(test_seed());
  for (int round = 0; round < 200; ++round) {
    using History = std::vector<std::string>;  // of each event what was written
    std::map<proto::Epoch, History> histories;
    proto::Epoch epoch = 1;
    Epochs epochs(epoch);
    History now;
    for (int forks = static_cast<int>(random() % 8); forks >= 0; --forks) {
      for (auto n = random() % 12; n > 0; --n) {
        now.push_back(std::to_string(epoch) + '-' + std::to_string(now.size() + 1));
      }
      histories[epoch] = now;
      if (forks == 0) break;
      now.resize(random() % (now.size() + 1));
      epochs.fork(++epoch, now.size());
    }
    for (const auto& [old, history] : histories) {
      for (Sequence s = 0; s <= history.size() + 1; ++s) {
        const bool same =
            s <= history.size() && s <= now.size() &&
            std::equal(now.begin(), now.begin() + static_cast<std::ptrdiff_t>(s), history.begin());
        EXPECT_EQ(epochs.position({.epoch = old, .sequence = s}, now.size()).has_value(), same)
            << old << '-' << s;
      }
    }
    for (Sequence s = 1; s <= now.size(); ++s) {
      EXPECT_EQ(std::to_string(epochs.of(s)) + '-' + std::to_string(s), now[s - 1]);
    }
  }
}

TEST(EpochsDeathTest, AnEpochIsNamedOnce) {
  Epochs epochs(1);
  epochs.fork(2, 5);
  EXPECT_DEATH(epochs.fork(1, 5), "has");
  EXPECT_DEATH(epochs.fork(2, 5), "has");
}

}  // namespace
}  // namespace tocsin::core
