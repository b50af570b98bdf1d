// Who gets a page of what is older than memory, and when.
#include "net/state/past/past_reader.h"

#include <cstddef>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include <gtest/gtest.h>

#include "net/state/server_state.h"
#include "proto/limits.h"
#include "tests/net/support/held_store.h"
#include "tests/net/support/test_client.h"

namespace tocsin::net {
namespace {

class PastReaderTest : public testing::Test {
 protected:
  PastReaderTest() { store_.keep_above(0); }
  ~PastReaderTest() override { reader().stop(); }

  PastReader& reader() { return state_->past; }
  void add_events(int count, std::size_t bytes = 10) {
    const std::string body(bytes, 'x');
    for (int i = 0; i < count; ++i) {
      const core::NewEvent event{.topic = "a", .id = {}, .body = body};
      store_.order(core::Batch({&event, 1}));
    }
    events_ += static_cast<core::Sequence>(count);
  }
  std::uint64_t ask(core::Sequence after, std::uint32_t slot = 0) {
    return reader().ask({.slot = slot, .after = after, .until = events_});
  }
  // Until so many turns have come, all in all; none comes behind them.
  void wait_turns(std::size_t count) {
    EXPECT_TRUE(eventually([&] {
      std::vector<Letter> letters;
      state_->mailboxes[0]->take(letters);
      for (Letter& letter : letters) {
        slots_.push_back(letter.ticket.slot);
        turns_.push_back(std::get<PastTurn>(std::move(letter.value)));
      }
      return slots_.size() >= count;
    }));
    EXPECT_EQ(slots_.size(), count);
  }

  HeldStore store_;
  core::Sequence events_ = 0;
  std::vector<std::uint32_t> slots_;
  std::shared_ptr<ServerState> state_ =
      std::make_shared<ServerState>(proto::Epoch{1}, std::size_t{1}, ServerOptions{});
  std::vector<PastTurn> turns_;
};

TEST_F(PastReaderTest, SoManyHaveAPageAndTheOthersWaitInTurn) {
  constexpr std::size_t kMore = 10;
  add_events(100);
  reader().start(store_);
  for (std::uint32_t i = 0; i < limits::kMaxReplays + kMore; ++i) (void)ask(i, i);
  wait_turns(limits::kMaxReplays);
  EXPECT_EQ(reader().metrics().running.get(), limits::kMaxReplays);
  EXPECT_EQ(reader().metrics().waiting.get(), kMore);
  for (std::size_t given_back = 1; given_back <= kMore; ++given_back) {
    turns_.erase(turns_.begin());
    wait_turns(limits::kMaxReplays + given_back);
  }
  for (std::uint32_t i = 0; i < slots_.size(); ++i) EXPECT_EQ(slots_[i], i);
  EXPECT_EQ(reader().metrics().pages_read.get(), 1U) << "one page is all there is";
  EXPECT_EQ(reader().metrics().pages_shared.get(), slots_.size() - 1);
  turns_.clear();
  EXPECT_EQ(reader().metrics().running.get(), 0U);
}

TEST_F(PastReaderTest, PagesOfLargeEventsAreFewer) {
  constexpr std::size_t kLarge = 8 * limits::kMiB;
  constexpr std::size_t kFit = limits::kMaxReplayBytes / kLarge;
  add_events(kFit + 1, kLarge);
  reader().start(store_);
  for (std::uint32_t i = 0; i <= kFit; ++i) (void)ask(i, i);
  wait_turns(kFit);
  EXPECT_TRUE(eventually([&] { return reader().metrics().waiting.get() == 1; }));
  turns_.pop_back();
  wait_turns(kFit + 1);
}

TEST_F(PastReaderTest, WhoWithdrawsGetsNothing) {
  add_events(100);
  const std::uint64_t first = ask(1, 1);
  (void)ask(2, 2);
  reader().withdraw(first);
  reader().withdraw(first);
  reader().start(store_);
  wait_turns(1);
  EXPECT_EQ(slots_.front(), 2U);
  EXPECT_EQ(reader().metrics().waiting.get(), 0U);
}

TEST_F(PastReaderTest, WhatIsGoneIsSaid) {
  add_events(100);
  store_.keep_above(40);
  reader().start(store_);
  (void)ask(10);
  wait_turns(1);
  EXPECT_EQ(turns_.front().page().above(), 40U);
  EXPECT_EQ(turns_.front().page().last(), 100U);
  (void)ask(20);
  wait_turns(2);
  EXPECT_EQ(reader().metrics().pages_read.get(), 1U) << "who lacks more shares it, too";
  store_.keep_above(100);
  (void)ask(30);
  wait_turns(3);
  EXPECT_EQ(turns_.back().page().above(), 100U);
  EXPECT_EQ(turns_.back().page().events(), 0U);
}

TEST_F(PastReaderTest, ATurnInALetterThatNobodyTakesEnds) {
  add_events(100);
  reader().start(store_);
  (void)ask(0);
  EXPECT_TRUE(eventually([&] { return reader().metrics().running.get() == 1; }));
  std::vector<Letter> letters;
  EXPECT_TRUE(eventually([&] { return !state_->mailboxes[0]->empty(); }));
  state_->mailboxes[0]->take(letters);
  letters.clear();
  EXPECT_EQ(reader().metrics().running.get(), 0U);
}

// Not even where more have asked for it than have a page, nor for the time of a pause.
TEST_F(PastReaderTest, WhatCannotBeReadStopsNobodyElse) {
  constexpr std::uint32_t kInVain = 2 * limits::kMaxReplays;
  add_events(100);
  store_.be_unreadable_behind(50);
  for (std::uint32_t i = 0; i < kInVain; ++i) (void)ask(50, 1000 + i);
  (void)ask(60, 0);
  reader().start(store_);
  wait_turns(1);
  for (std::uint32_t i = 1; i < 10 * limits::kMaxReplays; ++i) {
    turns_.clear();
    (void)ask(60 + i % 40, i);
    wait_turns(i + 1);
  }
  for (std::uint32_t i = 0; i < slots_.size(); ++i) EXPECT_EQ(slots_[i], i);
  EXPECT_EQ(reader().metrics().waiting.get(), kInVain);
  EXPECT_GT(reader().metrics().failures.get(), kInVain) << "and it is asked for again";
}

TEST_F(PastReaderTest, WhatCanBeReadAgainIsGivenToAllWhoWait) {
  constexpr std::uint32_t kWaiting = limits::kMaxReplays - 1;
  add_events(100);
  store_.be_unreadable(true);
  reader().start(store_);
  for (std::uint32_t i = 0; i < kWaiting; ++i) (void)ask(i, i);
  EXPECT_TRUE(eventually([&] { return reader().metrics().failures.get() >= kWaiting; }));
  store_.be_unreadable(false);
  wait_turns(kWaiting);
  EXPECT_EQ(reader().metrics().waiting.get(), 0U);
}

TEST_F(PastReaderTest, AnEndDoesNotWaitForWhatCannotBeRead) {
  add_events(100);
  store_.be_unreadable(true);
  reader().start(store_);
  (void)ask(0);
  EXPECT_TRUE(eventually([&] { return reader().metrics().failures.get() > 0; }));
  reader().stop();
}

}  // namespace
}  // namespace tocsin::net
