// What core/store.h demands, asked of every kind of store.
#include <algorithm>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "proto/limits.h"
#include "tests/net/store/store_conformance.h"

namespace tocsin::net {
namespace {

INSTANTIATE_TEST_SUITE_P(Stores, StoreConformance, testing::ValuesIn(kHistoryKinds),
                         [](const auto& kind) { return std::string(kind.param.name); });

TEST_P(StoreConformance, AHistoryBeginsEmpty) {
  const StoreUser& user = open();
  EXPECT_EQ(user.beginning().last(), 0U);
  EXPECT_EQ(user.epochs().size(), 1U);
  EXPECT_EQ(told_at_start(), 0U);
}

TEST_P(StoreConformance, AStoreThatWasNeverStartedEnds) {
  EXPECT_EQ(history().open()->beginning().last(), 0U);
}

// I12 to I14: what is committed is told of, whole, as it was, where the answer says.
TEST_P(StoreConformance, WhatIsCommittedIsToldOfAsItWas) {
  StoreUser& user = open();
  std::vector<std::pair<core::Ticket, KeptEvents>> given;
  std::size_t events = 0;
  for (int i = 0; i < 300; ++i) {
    KeptEvents batch = random_batch();
    events += batch.size();
    const core::Ticket ticket = user.append(batch);
    given.emplace_back(ticket, std::move(batch));
  }
  user.wait_told(events);
  for (const auto& [ticket, batch] : given) {
    const core::StoreAnswer answer = user.wait_answer(ticket);
    ASSERT_EQ(answer.outcome, Outcome::committed);
    EXPECT_EQ(answer.place.epoch, user.epochs().current());
    ASSERT_EQ(answer.place.events(), batch.size());
    EXPECT_EQ(user.events_at(answer.place), batch);
  }
  EXPECT_EQ(user.told(), events) << "and of nothing else";
}

TEST_P(StoreConformance, AnEventAndABatchMayBeAsLargeAsTheyMay) {
  StoreUser& user = open();
  const std::string data(limits::kMaxEncodedBatch - std::string_view("data: \n").size(), 'b');
  const KeptEvent longest{.topic = std::string(limits::kMaxTopicName, 't'),
                          .id = std::string(limits::kMaxEventId, 'i'),
                          .body = "data: " + data + "\n"};
  const KeptEvent small{.topic = "a", .id = "", .body = "data: " + std::string(400, 's') + "\n"};
  const KeptEvents many(limits::kMaxBatchEvents, small);
  ASSERT_LE(many.size() * small.body.size(), limits::kMaxEncodedBatch);
  for (const KeptEvents& batch : {KeptEvents{longest}, many}) {
    const core::StoreAnswer answer = user.publish(batch);
    ASSERT_EQ(answer.outcome, Outcome::committed);
    user.wait_told(answer.place.last);
    EXPECT_TRUE(user.events_at(answer.place) == batch);
  }
}

TEST_P(StoreConformance, ManyThreadsPublishAtOnce) {
  constexpr int kThreads = 4;
  constexpr int kEach = 100;
  StoreUser& user = open();
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < kThreads; ++i) {
      threads.emplace_back([&user, i] {
        for (int n = 0; n < kEach; ++n) {
          const std::string body = "data: " + std::to_string(i * kEach + n) + "\n";
          const KeptEvents batch{{.topic = "a", .id = "", .body = body}};
          const core::StoreAnswer answer = user.publish(batch);
          EXPECT_EQ(answer.outcome, Outcome::committed);
          user.wait_told(answer.place.last);
          EXPECT_EQ(user.events_at(answer.place), batch);
        }
      });
    }
  }
  EXPECT_EQ(user.told(), std::size_t{kThreads} * kEach);
}

// Nobody waits for what was pending; it has happened or not.
TEST_P(StoreConformance, AStopWaitsForNobody) {
  StoreUser& user = open();
  for (int i = 0; i < 50; ++i) (void)user.append(random_batch());
  stop();
  const auto answers = user.answers();
  const core::Sequence told = user.told();
  close();
  EXPECT_EQ(user.answers().size(), answers.size()) << "no call follows";
  EXPECT_EQ(user.told(), told);
}

// --- what can be read again

TEST_P(StoreConformance, WhatIsKeptIsReadFromAnywhere) {
  StoreUser* user = &open();
  if (store().floor() == core::Store::kNoPast) GTEST_SKIP() << "gives nothing back";
  KeptEvents all = publish_some(*user, 30);
  const KeptEvents many(
      3000, {.topic = "a", .id = "", .body = "data: " + std::string(400, 's') + "\n"});
  ASSERT_EQ(user->publish(many).outcome, Outcome::committed);
  all.insert(all.end(), many.begin(), many.end());
  user->wait_told(all.size());
  for (int i = 0; i < 60; ++i) {
    if (i == 30) user = &open();
    EXPECT_EQ(store().floor(), 0U);
    const std::size_t most = 1 + random_() % (i % 2 == 0 ? 2000 : 20);
    const core::Sequence until = 1 + random_() % all.size();
    const core::Sequence after = until - 1 - random_() % std::min<std::size_t>(until, 30 * most);
    EXPECT_TRUE(std::ranges::equal(read(after, until, most, *user),
                                   std::span(all).subspan(after, until - after)));
  }
}

TEST_P(StoreConformance, WhatIsGoneMeanwhileIsSaid) {
  StoreUser& user = open();
  const KeptEvents all = publish_some(user, 40);
  if (!history().lose_oldest(50)) GTEST_SKIP() << "loses nothing";
  core::Sequence floor = 0;
  const KeptEvents rest = read(3, all.size(), 7, user, &floor);
  EXPECT_GE(floor, 50U);
  EXPECT_TRUE(std::ranges::equal(rest, std::span(all).subspan(floor)));
  ASSERT_TRUE(history().lose_oldest(all.size() - floor));
  EXPECT_EQ(read(3, all.size(), 7, user, &floor), KeptEvents()) << "all is gone";
  EXPECT_EQ(floor, all.size());
}

// --- of those that survive

TEST_P(StoreConformance, AHistoryGoesOnWhereItEnded) {
  if (!history().survives()) GTEST_SKIP() << "ends with its store";
  KeptEvents all;
  std::optional<core::Epochs> epochs;
  for (int i = 0; i < 3; ++i) {
    StoreUser& user = open();
    if (epochs) {
      EXPECT_EQ(user.epochs(), *epochs) << "a restart is no fork";
    }
    epochs = user.epochs();
    EXPECT_EQ(user.told(), all.size());
    EXPECT_EQ(user.events(), all) << "told before start() returns";
    const KeptEvents more = publish_some(user);
    all.insert(all.end(), more.begin(), more.end());
    EXPECT_EQ(user.events(), all);
  }
}

// I14: acknowledged is there, once; whatever else is there was given, whole, and once.
TEST_P(StoreConformance, ACrashLosesNothingThatWasAcknowledged) {
  if (!history().survives()) GTEST_SKIP() << "ends with its store";
  KeptEvents all;
  for (int i = 0; i < 5; ++i) {
    StoreUser& user = open();
    ASSERT_EQ(user.events(), all);
    std::vector<std::pair<core::Ticket, KeptEvents>> given;
    for (int n = 0; n < 60; ++n) {
      KeptEvents batch = random_batch();
      batch.front().id = "batch-" + std::to_string(i) + "-" + std::to_string(n);
      const core::Ticket ticket = user.append(batch);
      given.emplace_back(ticket, std::move(batch));
    }
    const core::Ticket awaited = given[random_() % given.size()].first;
    EXPECT_EQ(user.wait_answer(awaited).outcome, Outcome::committed);
    crash();
    const StoreUser::Answers answers = user.answers();
    const StoreUser& next = open();
    const KeptEvents now = next.events();
    ASSERT_GE(now.size(), all.size());
    for (const auto& [ticket, batch] : given) {
      const auto found = std::ranges::find(now, batch.front());
      if (const auto answer = answers.find(ticket); answer != answers.end()) {
        if (answer->second.outcome == Outcome::committed) {
          ASSERT_EQ(next.events_at(answer->second.place), batch);
        } else {
          EXPECT_EQ(found, now.end()) << "refused";
        }
      }
      if (found == now.end()) continue;
      EXPECT_EQ(std::ranges::count(now, batch.front()), 1);
      ASSERT_LE(batch.size(), static_cast<std::size_t>(now.end() - found)) << "in part";
      EXPECT_TRUE(std::equal(batch.begin(), batch.end(), found));
    }
    all = now;
  }
}

// I14: refused is nowhere, and when there is room again it goes on.
TEST_P(StoreConformance, WhatIsRefusedIsNowhere) {
  StoreUser& user = open();
  KeptEvents all = publish_some(user, 5);
  if (!history().cut_off(true)) GTEST_SKIP() << "is never cut off";
  for (int i = 0; i < 5; ++i) EXPECT_EQ(user.publish(random_batch()).outcome, Outcome::refused);
  EXPECT_EQ(user.events(), all);
  ASSERT_TRUE(history().cut_off(false));
  KeptEvents batch;
  Outcome outcome = Outcome::refused;
  EXPECT_TRUE(eventually([&] {
    batch = random_batch();
    outcome = user.publish(batch).outcome;
    return outcome != Outcome::refused;
  })) << "it goes on by itself";
  ASSERT_EQ(outcome, Outcome::committed);
  all.insert(all.end(), batch.begin(), batch.end());
  user.wait_told(all.size());
  EXPECT_EQ(user.events(), all);
  const StoreUser& next = open();
  EXPECT_EQ(next.events(), all);
}

// An id of the epoch that has ended is good up to the fork, and given to no other event above it.
TEST_P(StoreConformance, WhatLosesItsNewestEventsGoesOnInANewEpoch) {
  StoreUser& before = open();
  const proto::Epoch epoch = before.epochs().current();
  const KeptEvents all = publish_some(before);
  close();
  if (!history().lose_newest(7)) GTEST_SKIP() << "cannot lose them unnoticed";
  StoreUser& user = open();
  const core::Sequence fork = user.told();
  ASSERT_LE(fork + 7, all.size());
  EXPECT_TRUE(std::ranges::equal(user.events(), std::span(all).first(fork)));
  EXPECT_NE(user.epochs().current(), epoch);
  ASSERT_EQ(user.epochs().older().size(), 1U);
  EXPECT_EQ(user.epochs().older().front(), (core::Epochs::Older{.epoch = epoch, .end = fork}));
  const core::StoreAnswer answer = user.publish(random_batch());
  EXPECT_EQ(answer.place.first, fork + 1);
  EXPECT_EQ(answer.place.epoch, user.epochs().current());
  const core::Epochs epochs = user.epochs();
  const StoreUser& next = open();
  EXPECT_EQ(next.epochs(), epochs) << "told once, and kept";
}

}  // namespace
}  // namespace tocsin::net
