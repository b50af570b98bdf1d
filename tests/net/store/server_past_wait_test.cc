// Streams that wait for what is older than memory, over a store that gives it when the test says
// so: what they are sent meanwhile, and how they end.
#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/net/store/past_fixture.h"
#include "tests/net/support/held_store.h"
#include "tests/net/support/test_access.h"

namespace tocsin::net {
namespace {

using testing::HasSubstr;

class ServerPastWait : public PastTest {
 protected:
  ServerPastWait() {
    auto held = std::make_unique<HeldStore>();
    held->keep_above(0);
    held_ = held.get();
    store = std::move(held);
  }
  // Publishes as PastTest does, and the store commits all of it.
  void publish_and_commit(int count) {
    std::atomic<bool> over = false;
    std::jthread commits([&] {
      while (!over) {
        if (held_->held() > 0) {
          held_->commit();
        } else {
          std::this_thread::yield();
        }
      }
    });
    publish_events(count);
    over = true;
  }
  [[nodiscard]] TestSubscriber resume_at_first(const std::string& fields = {},
                                               const std::string& query = {}) const {
    return TestSubscriber(
        address(), "/events?topic=t0" + query,
        fields + resume_at(proto::to_string({HeldStore::kEpoch, core::Sequence{1}})));
  }
  HeldStore& held() { return *held_; }
  void wait_for_replays(double count) {
    EXPECT_TRUE(eventually([&] { return metric("tocsin_replays_waiting") == count; }));
  }

 private:
  HeldStore* held_ = nullptr;
};
INSTANTIATE_TEST_SUITE_P(Server, ServerPastWait, testing::ValuesIn(ServerTest::kBackends),
                         ServerTest::backend_name);

TEST_P(ServerPastWait, AStoreThatCannotBeReadIsWaitedFor) {
  start();
  publish_and_commit(1500);
  const auto all = published();
  held().be_unreadable(true);
  TestSubscriber reader = resume_at_first("", "&heartbeat=1s");
  wait_for_replays(1);
  const std::size_t before = reader.bytes().size();
  reader.wait_until([&] { return reader.bytes().find(":", before) != std::string::npos; });
  EXPECT_TRUE(reader.events().empty()) << "a comment came, and nothing else";
  EXPECT_GT(metric("tocsin_replay_read_failures_total"), 0);
  held().be_unreadable(false);
  EXPECT_EQ(read_all(reader, {"t0"}, 1, all), 0U);
}

// Live events wait with it: they come behind what is older.
TEST_P(ServerPastWait, WhatIsPublishedMeanwhileComesInItsPlace) {
  start();
  publish_and_commit(1500);
  held().be_unreadable(true);
  TestSubscriber reader = resume_at_first();
  wait_for_replays(1);
  publish_and_commit(1500);
  held().be_unreadable(false);
  EXPECT_EQ(read_all(reader, {"t0"}, 1, published()), 0U);
}

TEST_P(ServerPastWait, WhatGoesMeanwhileIsToldOf) {
  start();
  publish_and_commit(1500);
  held().be_unreadable(true);
  TestSubscriber reader = resume_at_first();
  wait_for_replays(1);
  held().keep_above(700);
  held().be_unreadable(false);
  EXPECT_EQ(read_all(reader, {"t0"}, 1, published()), 700U);
  EXPECT_EQ(sum(&ShardMetrics::gaps), 1U);
  EXPECT_EQ(reader.events().front().type, "gap");
}

TEST_P(ServerPastWait, WhoLeavesIsNotWaitedFor) {
  start();
  publish_and_commit(1500);
  held().be_unreadable(true);
  {
    const TestSubscriber one = resume_at_first();
    const TestSubscriber other = resume_at_first();
    wait_for_replays(2);
  }
  wait_for_replays(0);
  EXPECT_TRUE(eventually([&] { return sum(&ShardMetrics::streams_open) == 0; }));
  held().be_unreadable(false);
}

TEST_P(ServerPastWait, ADrainAndAnEndDoNotWaitForIt) {
  options.drain_timeout_s = 0;
  start();
  publish_and_commit(1500);
  held().be_unreadable(true);
  TestSubscriber reader = resume_at_first();
  wait_for_replays(1);
  server().drain();
  reader.wait_end();
  EXPECT_TRUE(reader.ended_properly());
}

// A right that is gone ends the stream where it is.
TEST_P(ServerPastWait, ARevokedRightEndsItAtOnce) {
  TestAccess rules;
  access = rules.make();
  credential = bearer(token_for("[]", R"(["*"])"));
  start();
  publish_and_commit(1500);
  held().be_unreadable(true);
  TestSubscriber reader = resume_at_first(bearer(token_for(R"(["t0"])")));
  wait_for_replays(1);
  TestAccess others;
  others.secrets = {std::string(kOtherTestSecret)};
  server().reload(options, others.make());
  reader.wait_end();
  ASSERT_EQ(reader.events().size(), 1U) << "nothing but the end";
  EXPECT_EQ(reader.events().front().type, "expired");
  EXPECT_THAT(reader.events().front().data, HasSubstr("revoked"));
  wait_for_replays(0);
}

}  // namespace
}  // namespace tocsin::net
