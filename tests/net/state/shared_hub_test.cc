#include "net/state/shared_hub.h"

#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include <gtest/gtest.h>

#include "tests/net/support/held_store.h"

namespace tocsin::net {
namespace {

class SharedHubTest : public ::testing::Test {
 protected:
  // Shard 0 reads topic a and has more news than it may be behind.
  void SetUp() override {
    hub_.with([](core::Hub& hub) {
      const std::string_view topic = "a";
      ASSERT_TRUE(hub.subscribe({&topic, 1}, {}, 0, 0).has_value());
    });
    while (hub_.publish({&large_, 1}, 0)) {
    }
  }
  void sweep() {
    hub_.with([](core::Hub& hub) {
      core::Collected collected;
      hub.collect(0, collected);
      hub.swept(0);
    });
  }
  // A batch that waits; what becomes of it is put into `result`.
  void wait(std::optional<PublishResult>& result) {
    hub_.wait({.batch = core::Batch({&small_, 1}),
               .received_ms = 0,
               .done = [&result](PublishResult&& became) { result = std::move(became); }});
  }

  const SteadyClock clock_;
  const std::string body_ = std::string(1'000'000, 'x');
  const core::NewEvent large_{.topic = "a", .id = {}, .body = body_};
  const core::NewEvent small_{.topic = "b", .id = {}, .body = "data: x\n"};
  SharedHub hub_{1, 1, {}, {}};
};

TEST_F(SharedHubTest, NobodyOvertakesWhoWaits) {
  std::optional<PublishResult> first;
  wait(first);
  sweep();
  const auto overtaking = hub_.publish({&small_, 1}, 0);
  ASSERT_FALSE(overtaking.has_value());
  EXPECT_EQ(overtaking.error().why, core::PublishError::busy);
  std::optional<PublishResult> second;
  wait(second);
  EXPECT_FALSE(first || second);
  EXPECT_FALSE(hub_.order_waiting(clock_, UINT64_MAX));
  ASSERT_TRUE(first && second && *first && *second);
  EXPECT_EQ((*second)->first, (*first)->last + 1);
  EXPECT_TRUE(hub_.publish({&small_, 1}, 0).has_value());
}

TEST_F(SharedHubTest, OnlyAsMuchIsOrderedAsTheShardsMayBeBehind) {
  std::optional<PublishResult> result;
  wait(result);
  EXPECT_FALSE(hub_.order_waiting(clock_, UINT64_MAX));
  EXPECT_FALSE(result.has_value());
  sweep();
  EXPECT_TRUE(hub_.order_waiting(clock_, 0)) << "the time is up behind the first";
  EXPECT_TRUE(result.has_value());
}

TEST_F(SharedHubTest, WhoNeedNotWaitAnyMoreIsPublished) {
  sweep();
  std::optional<PublishResult> result;
  wait(result);
  ASSERT_TRUE(result && *result);
}

TEST_F(SharedHubTest, ClosedIsNowhere) {
  std::optional<PublishResult> before;
  wait(before);
  const auto newest = hub_.with([](const core::Hub& hub) { return hub.last_sequence(); });
  hub_.close();
  std::optional<PublishResult> after;
  wait(after);
  for (const auto& result : {before, after}) {
    ASSERT_TRUE(result && !*result);
    EXPECT_EQ(result->error().reason, PublishFailure::Reason::closed);
  }
  sweep();
  EXPECT_FALSE(hub_.order_waiting(clock_, UINT64_MAX));
  EXPECT_EQ(hub_.with([](const core::Hub& hub) { return hub.last_sequence(); }), newest);
}

// Over a store that answers later.
class SharedHubStoreTest : public ::testing::Test {
 protected:
  class FakeClock final : public Clock {
   public:
    [[nodiscard]] std::uint64_t now_us() const override { return now_us_; }
    std::uint64_t now_us_ = 1'000'000'000;
  };

  void SetUp() override { hub_.start_store(clock_); }
  static core::HubSettings settings() {
    core::HubSettings settings;
    settings.history.age_ms = 60'000;
    return settings;
  }
  core::Ticket publish(const core::NewEvent& event) {
    return hub_.publish({&event, 1}, 0).value().ticket();
  }
  [[nodiscard]] bool overloaded() {
    return hub_.with([](const core::Hub& hub) { return hub.overloaded(); });
  }

  FakeClock clock_;
  const std::string body_ = std::string(1'000'000, 'x');
  const core::NewEvent large_{.topic = "a", .id = {}, .body = body_};
  const core::NewEvent small_{.topic = "b", .id = {}, .body = "data: x\n"};
  HeldStore* const store_ = new HeldStore;  // the hub's
  SharedHub hub_{std::unique_ptr<core::Store>(store_), 1, settings(), {}};
};

// The answer may be there before who published has asked for it.
TEST_F(SharedHubStoreTest, WhoAsksIsToldInAnyCase) {
  const core::Ticket early = publish(small_);
  std::optional<PublishResult> result;
  hub_.ask(early, [&](PublishResult&& became) { result = std::move(became); });
  EXPECT_FALSE(result.has_value());
  (void)store_->commit();
  ASSERT_TRUE(result && *result);
  EXPECT_EQ((*result)->last, 1U);

  const core::Ticket late = publish(small_);
  store_->refuse();
  EXPECT_TRUE(hub_.owes_answers());
  result.reset();
  hub_.ask(late, [&](PublishResult&& became) { result = std::move(became); });
  ASSERT_TRUE(result && !*result);
  EXPECT_EQ(result->error().reason, PublishFailure::Reason::unavailable);
  EXPECT_FALSE(hub_.owes_answers());
}

// What has waited for the shards then waits for the store, and is answered once.
TEST_F(SharedHubStoreTest, ALineForTheShardsGoesOnToTheStore) {
  hub_.with([](core::Hub& hub) {
    const std::string_view topic = "a";
    ASSERT_TRUE(hub.subscribe({&topic, 1}, {}, 0, 0).has_value());
  });
  while (!overloaded()) {
    hub_.ask(publish(large_), [](PublishResult&&) {});
    (void)store_->commit();
  }
  std::optional<PublishResult> result;
  hub_.wait({.batch = core::Batch({&small_, 1}), .received_ms = 0, .done = [&](PublishResult&& r) {
               result = std::move(r);
             }});
  EXPECT_EQ(store_->held(), 0U);
  hub_.with([](core::Hub& hub) {
    core::Collected collected;
    hub.collect(0, collected);
    hub.swept(0);
  });
  EXPECT_FALSE(hub_.order_waiting(clock_, UINT64_MAX));
  EXPECT_EQ(store_->held(), 1U);
  EXPECT_FALSE(result.has_value());
  (void)store_->commit();
  EXPECT_TRUE(result && *result);
  EXPECT_FALSE(hub_.owes_answers());
}

// So a burst of commits neither loses events nor makes a reader look slow.
TEST_F(SharedHubStoreTest, TheStoreWaitsForTheShards) {
  hub_.with([](core::Hub& hub) {
    const std::string_view topic = "a";
    ASSERT_TRUE(hub.subscribe({&topic, 1}, {}, 0, 0).has_value());
  });
  constexpr std::size_t kEvents = 20;
  for (std::size_t i = 0; i < kEvents; ++i) hub_.ask(publish(large_), [](PublishResult&&) {});
  std::jthread committing([this] {
    for (std::size_t i = 0; i < kEvents; ++i) (void)store_->commit();
  });
  EXPECT_TRUE(eventually([this] { return hub_.store_metrics().shard_waits.get() > 0; }));
  EXPECT_TRUE(overloaded());
  EXPECT_LT(hub_.with([](const core::Hub& hub) { return hub.last_sequence(); }), kEvents);
  while (hub_.with([](const core::Hub& hub) { return hub.last_sequence(); }) < kEvents) {
    hub_.with([](core::Hub& hub) {
      core::Collected collected;
      hub.collect(0, collected);
      hub.swept(0);
    });
    (void)hub_.order_waiting(clock_, UINT64_MAX);
  }
}

TEST_F(SharedHubStoreTest, TheEndKeepsNoStoreWaiting) {
  hub_.with([](core::Hub& hub) {
    const std::string_view topic = "a";
    ASSERT_TRUE(hub.subscribe({&topic, 1}, {}, 0, 0).has_value());
  });
  for (int i = 0; i < 20; ++i) hub_.ask(publish(large_), [](PublishResult&&) {});
  std::jthread committing([this] {
    for (int i = 0; i < 20; ++i) (void)store_->commit();
  });
  EXPECT_TRUE(eventually([this] { return hub_.store_metrics().shard_waits.get() > 0; }));
  hub_.close();
  committing.join();
}

TEST_F(SharedHubStoreTest, NobodyWaitsForEver) {
  std::optional<PublishResult> first;
  std::optional<PublishResult> second;
  hub_.ask(publish(small_), [&](PublishResult&& became) { first = std::move(became); });
  clock_.now_us_ += limits::kMaxStoreAnswerMs * 1000;
  hub_.ask(publish(small_), [&](PublishResult&& became) { second = std::move(became); });
  hub_.give_up_waiting();
  EXPECT_FALSE(first || second) << "its time is not over";
  clock_.now_us_ += 1;
  hub_.give_up_waiting();
  ASSERT_TRUE(first && !*first);
  EXPECT_EQ(first->error().reason, PublishFailure::Reason::unknown);
  EXPECT_FALSE(second.has_value());
  (void)store_->commit();
  EXPECT_EQ(hub_.store_metrics().stale_answers.get(), 1U);
  EXPECT_EQ(hub_.with([](const core::Hub& hub) { return hub.last_sequence(); }), 1U)
      << "it happened all the same";
  (void)store_->commit();
  EXPECT_TRUE(second && *second);
}

// Known to be committed, and not yet here: at the end that is told, and no uncertainty.
TEST_F(SharedHubStoreTest, WhatIsCommittedIsAcknowledgedAtTheEnd) {
  std::optional<PublishResult> result;
  hub_.ask(publish(small_), [&](PublishResult&& became) { result = std::move(became); });
  HeldStore::Append append = store_->take();
  const HeldStore::Stored& stored = store_->order(std::move(append.batch));
  store_->answer(append.ticket, {.outcome = HeldStore::Outcome::committed, .place = stored.place});
  EXPECT_FALSE(result.has_value());
  hub_.close();
  ASSERT_TRUE(result && *result);
  EXPECT_EQ((*result)->last, 1U);
  EXPECT_EQ(hub_.publish({&small_, 1}, 0).error().closed, true);
}

TEST_F(SharedHubStoreTest, HistoryIsAsOldAsItsCommits) {
  for (const core::TimeMs age_ms : {70'000U, 50'000U}) {
    (void)publish(small_);
    const HeldStore::Stored& stored = store_->order(store_->take().batch);
    store_->tell(stored, age_ms);
  }
  hub_.with([this](core::Hub& hub) {
    const std::string_view topic = "b";
    const auto at = hub.subscribe({&topic, 1}, {.kind = core::Resume::Kind::earliest}, 0,
                                  clock_.now_us_ / 1000);
    ASSERT_TRUE(at.has_value());
    EXPECT_EQ(at->topics.front().from, 1U) << "the first is too old";
  });
}

}  // namespace
}  // namespace tocsin::net
