// Journal: the next place, and nothing but the next place.
#include "core/journal.h"

#include <gtest/gtest.h>

namespace tocsin::core {
namespace {

constexpr proto::Epoch kEpoch = 7;

Journal after(std::initializer_list<std::size_t> batches) {
  Journal journal(kEpoch);
  for (const std::size_t events : batches) journal.follow(journal.next(events));
  return journal;
}

TEST(JournalTest, PlacesAreDense) {
  EXPECT_EQ(after({}).last(), 0U);
  EXPECT_EQ(after({}).next(1), (Place{.epoch = kEpoch, .first = 1, .last = 1}));
  EXPECT_EQ(after({1, 3}).last(), 4U);
  EXPECT_EQ(after({1, 3}).next(2), (Place{.epoch = kEpoch, .first = 5, .last = 6}));
  EXPECT_EQ(after({1, 3}).next(2).events(), 2U);
}

// I13: no hole, nothing twice, nothing of another history, and no batch without an event.
TEST(JournalDeathTest, FollowsNothingButTheNextPlace) {
  for (const Place& wrong : {Place{.epoch = kEpoch, .first = 6, .last = 6},
                             Place{.epoch = kEpoch, .first = 4, .last = 4},
                             Place{.epoch = kEpoch, .first = 4, .last = 5},
                             Place{.epoch = kEpoch, .first = 5, .last = 4},
                             Place{.epoch = kEpoch + 1, .first = 5, .last = 5}}) {
    Journal journal = after({4});
    EXPECT_DEATH(journal.follow(wrong), "assertion failed") << wrong.first << "-" << wrong.last;
  }
}

}  // namespace
}  // namespace tocsin::core
