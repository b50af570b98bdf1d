// Journal: the next place, and nothing but the next place.
#include "core/journal.h"

#include <gtest/gtest.h>

namespace tocsin::core {
namespace {

constexpr proto::Epoch kEpoch = 7;

Journal after(std::initializer_list<std::size_t> batches) {
  Journal journal{Epochs(kEpoch)};
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

TEST(JournalTest, SaysHowABatchStandsToWhatIsThere) {
  Epochs epochs(kEpoch);
  epochs.fork(kEpoch + 1, 6);
  const auto fit_at = [&](Sequence last, const Place& place) {
    return Journal(epochs, last).fit(place);
  };
  const Place old{.epoch = kEpoch, .first = 4, .last = 6};
  EXPECT_EQ(fit_at(3, old), Fit::next);
  EXPECT_EQ(fit_at(2, old), Fit::hole);
  EXPECT_EQ(fit_at(6, old), Fit::known);
  EXPECT_EQ(fit_at(9, old), Fit::known);
  EXPECT_EQ(fit_at(4, old), Fit::other) << "a part of it is there";
  EXPECT_EQ(fit_at(3, {.epoch = kEpoch + 1, .first = 4, .last = 6}), Fit::other);
  EXPECT_EQ(fit_at(3, {.epoch = kEpoch, .first = 4, .last = 7}), Fit::other) << "over the fork";
  EXPECT_EQ(fit_at(6, {.epoch = kEpoch, .first = 7, .last = 7}), Fit::other) << "what was lost";
  EXPECT_EQ(fit_at(6, {.epoch = kEpoch + 1, .first = 7, .last = 9}), Fit::next);
  EXPECT_EQ(fit_at(6, {.epoch = kEpoch + 2, .first = 7, .last = 7}), Fit::other);
  EXPECT_EQ(fit_at(6, {.epoch = kEpoch + 1, .first = 7, .last = 6}), Fit::other);
  EXPECT_EQ(fit_at(0, {.epoch = kEpoch, .first = 0, .last = 1}), Fit::other);
}

TEST(JournalTest, AForkGoesOnBehindWhatIsLeft) {
  Journal journal = after({4, 2});
  journal.fork(kEpoch + 1, 4);
  EXPECT_EQ(journal.last(), 4U);
  EXPECT_EQ(journal.next(2), (Place{.epoch = kEpoch + 1, .first = 5, .last = 6}));
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
