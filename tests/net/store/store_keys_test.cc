// What a store knows of keys, asked of every kind.
#include <cstdint>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "core/publish/published_keys.h"
#include "proto/limits.h"
#include "tests/net/store/store_conformance.h"

namespace tocsin::net {
namespace {

class StoreKeys : public StoreConformance {};
INSTANTIATE_TEST_SUITE_P(Stores, StoreKeys, testing::ValuesIn(kHistoryKinds),
                         [](const auto& kind) { return std::string(kind.param.name); });

core::PublishKey key_of(unsigned char name, std::uint64_t number = 0, std::uint64_t content = 7) {
  core::PublishKey key{.number = number, .content = content, .time_ms = 1'000'000};
  key.name[0] = name;
  return key;
}

TEST_P(StoreKeys, AKeyIsPublishedOnce) {
  StoreUser& user = open();
  const KeptEvents all = publish_some(user, 3);
  const KeptEvents batch = random_batch();
  const core::StoreAnswer first = user.publish(batch, key_of(1));
  ASSERT_EQ(first.outcome, Outcome::committed);
  const core::StoreAnswer other = user.publish(random_batch(), key_of(2));
  ASSERT_EQ(other.outcome, Outcome::committed);
  for (int i = 0; i < 3; ++i) {
    const core::StoreAnswer again = user.publish(batch, key_of(1));
    EXPECT_EQ(again.outcome, Outcome::repeated);
    EXPECT_EQ(again.place, first.place);
    EXPECT_EQ(user.publish(random_batch(), key_of(1, 0, 8)).outcome, Outcome::differs);
  }
  user.wait_told(other.place.last);
  EXPECT_EQ(user.told(), other.place.last);
  EXPECT_EQ(user.events_at(first.place), batch);
}

TEST_P(StoreKeys, NumbersOfANameRiseByOne) {
  StoreUser& user = open();
  EXPECT_EQ(user.publish(random_batch(), key_of(1, 2)).expected, 1U);
  std::vector<core::StoreAnswer> firsts;
  constexpr std::uint64_t kMost = limits::kKeptNumbers + 3;
  for (std::uint64_t n = 1; n <= kMost; ++n) {
    firsts.push_back(user.publish(random_batch(), key_of(1, n)));
    ASSERT_EQ(firsts.back().outcome, Outcome::committed) << n;
  }
  EXPECT_EQ(user.publish(random_batch(), key_of(2, 1)).outcome, Outcome::committed)
      << "another's numbers are its own";
  for (std::uint64_t n = 1; n <= kMost; ++n) {
    const core::StoreAnswer again = user.publish(random_batch(), key_of(1, n));
    if (n + limits::kKeptNumbers <= kMost) {
      EXPECT_EQ(again.outcome, Outcome::forgotten) << n;
      EXPECT_EQ(again.expected, kMost + 1);
    } else {
      EXPECT_EQ(again.outcome, Outcome::repeated) << n;
      EXPECT_EQ(again.place, firsts[n - 1].place);
      EXPECT_EQ(user.publish(random_batch(), key_of(1, n, 8)).outcome, Outcome::differs);
    }
  }
  const core::StoreAnswer hole = user.publish(random_batch(), key_of(1, kMost + 2));
  EXPECT_EQ(hole.outcome, Outcome::hole);
  EXPECT_EQ(hole.expected, kMost + 1);
  EXPECT_EQ(user.publish(random_batch(), key_of(1, kMost + 1)).outcome, Outcome::committed);
}

// While the first is on its way, in the same commit or not: the others' answer comes with it.
TEST_P(StoreKeys, OfManyAtOnceOneIsTheFirst) {
  StoreUser& user = open();
  for (unsigned char name = 1; name <= 20; ++name) {
    const KeptEvents batch = random_batch();
    std::vector<core::Ticket> tickets;
    {
      std::vector<std::jthread> threads;
      std::mutex mutex;
      for (int i = 0; i < 4; ++i) {
        threads.emplace_back([&] {
          const core::Ticket ticket = user.append(batch, key_of(name));
          const std::scoped_lock lock(mutex);
          tickets.push_back(ticket);
        });
      }
    }
    int committed = 0;
    const core::Place place = user.wait_answer(tickets.front()).place;
    for (const core::Ticket ticket : tickets) {
      const core::StoreAnswer answer = user.wait_answer(ticket);
      ASSERT_TRUE(answer.is_there());
      committed += answer.outcome == Outcome::committed ? 1 : 0;
      EXPECT_EQ(answer.place, place);
    }
    EXPECT_EQ(committed, 1);
    user.wait_told(place.last);
    EXPECT_EQ(user.told(), place.last) << "and nothing was published twice";
  }
}

// A publisher that has all its numbers under way at once, and says all of them again.
TEST_P(StoreKeys, NumbersThatAreUnderWayTogetherAreInOrder) {
  StoreUser& user = open();
  KeptEvents all;
  std::vector<core::Ticket> first;
  std::vector<core::Ticket> again;
  for (std::uint64_t n = 1; n <= limits::kKeptNumbers; ++n) {
    const KeptEvents batch = random_batch();
    all.insert(all.end(), batch.begin(), batch.end());
    first.push_back(user.append(batch, key_of(1, n)));
  }
  for (std::uint64_t n = 1; n <= limits::kKeptNumbers; ++n) {
    again.push_back(user.append(random_batch(), key_of(1, n)));
  }
  user.wait_told(all.size());
  for (std::size_t i = 0; i < first.size(); ++i) {
    const core::StoreAnswer answer = user.wait_answer(first[i]);
    EXPECT_EQ(answer.outcome, Outcome::committed);
    EXPECT_EQ(user.wait_answer(again[i]).outcome, Outcome::repeated);
    EXPECT_EQ(user.wait_answer(again[i]).place, answer.place);
  }
  EXPECT_EQ(user.events(), all);
}

// --- of those that survive

TEST_P(StoreKeys, KeysAreKeptWithTheirEvents) {
  if (!history().survives()) GTEST_SKIP() << "ends with its store";
  const KeptEvents batch = random_batch();
  core::StoreAnswer alone;
  core::StoreAnswer numbered;
  {
    StoreUser& user = open();
    (void)publish_some(user, 3);
    alone = user.publish(batch, key_of(1));
    for (std::uint64_t n = 1; n <= 3; ++n) numbered = user.publish(batch, key_of(2, n));
  }
  StoreUser& user = open();
  EXPECT_EQ(user.publish(batch, key_of(1)).outcome, Outcome::repeated);
  EXPECT_EQ(user.publish(batch, key_of(1)).place, alone.place);
  EXPECT_EQ(user.publish(batch, key_of(2, 3)).place, numbered.place);
  EXPECT_EQ(user.publish(batch, key_of(2, 5)).expected, 4U);
  EXPECT_EQ(user.publish(batch, key_of(2, 4)).outcome, Outcome::committed);
}

// Whatever became of each before the crash: said again, all are there once, and in order.
TEST_P(StoreKeys, AfterACrashAKeySaysWhatBecameOfIt) {
  if (!history().survives()) GTEST_SKIP() << "ends with its store";
  for (unsigned char name = 1; name <= 5; ++name) {
    KeptEvents wanted;
    std::vector<KeptEvents> batches;
    std::optional<core::StoreAnswer> acknowledged;
    {
      StoreUser& user = open();
      wanted = user.events();
      core::Ticket awaited = 0;
      for (std::uint64_t n = 1; n <= limits::kKeptNumbers; ++n) {
        batches.push_back(random_batch());
        const core::Ticket ticket = user.append(batches.back(), key_of(name, n));
        if (n == 5) awaited = ticket;
      }
      acknowledged = user.wait_answer(awaited);
      ASSERT_EQ(acknowledged->outcome, Outcome::committed);
      crash();
    }
    StoreUser& user = open();
    for (std::uint64_t n = 1; n <= limits::kKeptNumbers; ++n) {
      const core::StoreAnswer answer = user.publish(batches[n - 1], key_of(name, n));
      ASSERT_TRUE(answer.is_there()) << n;
      if (n == 5) {
        EXPECT_EQ(answer.place, acknowledged->place);
      }
      wanted.insert(wanted.end(), batches[n - 1].begin(), batches[n - 1].end());
    }
    user.wait_told(user.beginning().last() + wanted.size());
    EXPECT_EQ(user.events(), wanted);
  }
}

TEST_P(StoreKeys, AKeyOfWhatWasRefusedIsFree) {
  StoreUser& user = open();
  ASSERT_EQ(user.publish(random_batch(), key_of(1, 1)).outcome, Outcome::committed);
  if (!history().cut_off(true)) GTEST_SKIP() << "is never cut off";
  for (std::uint64_t n = 2; n <= 4; ++n) {
    EXPECT_EQ(user.publish(random_batch(), key_of(1, n)).outcome, Outcome::refused);
  }
  ASSERT_TRUE(history().cut_off(false));
  core::StoreAnswer answer;
  EXPECT_TRUE(eventually([&] {
    answer = user.publish(random_batch(), key_of(1, 2, 8));
    return answer.outcome != Outcome::refused;
  }));
  EXPECT_EQ(answer.outcome, Outcome::committed);
}

TEST_P(StoreKeys, AKeyOfWhatWasLostIsFree) {
  KeptEvents batch{random_event()};
  StoreUser& before = open();
  (void)publish_some(before);
  const core::StoreAnswer kept = before.publish(batch, key_of(1, 1));
  (void)publish_some(before);
  ASSERT_EQ(before.publish(batch, key_of(1, 2)).outcome, Outcome::committed);
  close();
  if (!history().lose_newest(1)) GTEST_SKIP() << "cannot lose them unnoticed";
  StoreUser& user = open();
  EXPECT_EQ(user.publish(batch, key_of(1, 1)).place, kept.place);
  EXPECT_EQ(user.publish(batch, key_of(1, 3)).expected, 2U);
  EXPECT_EQ(user.publish(batch, key_of(1, 2)).outcome, Outcome::committed);
}

}  // namespace
}  // namespace tocsin::net
