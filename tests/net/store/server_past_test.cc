// What memory has no more and a file has: streams that resume there miss nothing, whatever happens
// beside them.
#include <algorithm>
#include <atomic>
#include <future>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "proto/limits.h"
#include "tests/net/store/past_fixture.h"
#include "tests/net/support/temporary_folder.h"

namespace tocsin::net {
namespace {

class ServerPast : public PastTest {
 protected:
  ServerPast() {
    options.history = "sqlite:" + folder_.path("history.db");
    options.history_sync = HistorySync::off;
  }
  // A stream that resumes somewhere in what was published, on some topics, read to the end.
  void resume_somewhere(std::uint64_t seed, int receive_buffer = 0) {
    std::mt19937_64 random(seed);
    const std::vector<Published> all = published();
    const Topics topics = some_topics(random);
    const core::Sequence from = random() % all.size();
    const bool earliest = from % 10 == 0;
    TestSubscriber reader(address(), target_of(topics),
                          resume_at(earliest ? "earliest" : position(from)), receive_buffer);
    EXPECT_EQ(read_all(reader, topics, earliest ? 0 : from, all), 0U) << "nothing is gone";
  }

 private:
  TemporaryFolder folder_;
};
INSTANTIATE_TEST_SUITE_P(Server, ServerPast, testing::ValuesIn(ServerTest::kBackends),
                         ServerTest::backend_name);

TEST_P(ServerPast, AStreamResumesAnywhereWhileOthersPublish) {
  start();
  publish_events(6000);
  std::jthread publisher([&] { publish_events(2000); });
  std::vector<std::future<void>> readers;
  for (int i = 0; i < 4; ++i) {
    readers.push_back(std::async(std::launch::async, [this, seed = random_()] {
      for (std::uint64_t n = 0; n < 6; ++n) resume_somewhere(seed + n, n % 2 == 0 ? 0 : 4096);
    }));
  }
  for (auto& reader : readers) reader.get();
  publisher.join();
  EXPECT_GT(metric("tocsin_replay_pages_read_total"), 0);
  EXPECT_GT(metric("tocsin_replay_deliveries_total"), 0);
  EXPECT_TRUE(eventually([&] { return metric("tocsin_replays_running") == 0; }));
  EXPECT_EQ(metric("tocsin_replays_waiting"), 0);
  EXPECT_EQ(sum(&ShardMetrics::gaps), 0U);
  EXPECT_EQ(sum(&ShardMetrics::slow_disconnects), 0U);
}

TEST_P(ServerPast, ARestartChangesNothing) {
  start();
  publish_events(3000);
  stop();
  start();
  const auto encoded =
      server().state().hub.with([](const core::Hub& hub) { return hub.events_encoded(); });
  EXPECT_LT(encoded, 3000U) << "the rest is in the file alone";
  brought = encoded;
  publish_events(500);
  for (int i = 0; i < 10; ++i) resume_somewhere(random_());
}

// More at once than have a page: all of them come by turns.
TEST_P(ServerPast, ManyResumeAtOnceAndShareWhatIsRead) {
  start();
  publish_events(3000);
  const std::vector<Published> all = published();
  std::vector<std::unique_ptr<TestSubscriber>> readers;
  for (std::size_t i = 0; i < 3 * limits::kMaxReplays; ++i) {
    readers.push_back(std::make_unique<TestSubscriber>(address(), "/events?topic=t0&topic=t1",
                                                       resume_at(position(i))));
  }
  for (std::size_t i = 0; i < readers.size(); ++i) {
    EXPECT_EQ(read_all(*readers[i], {"t0", "t1"}, i, all), 0U);
  }
  EXPECT_GT(metric("tocsin_replay_pages_shared_total"), metric("tocsin_replay_pages_read_total"));
}

// Each stops in the middle of a large event, of a page that none of the others has. The pages are
// more than the reader of the past keeps, and more than may be pinned; what is left of the events
// is not.
TEST_P(ServerPast, ReadersInTheMiddleOfEventsAreNotSlow) {
  constexpr std::uint64_t kReaders = 90;
  constexpr std::size_t kLarge = 60ULL * 1024;
  constexpr std::uint64_t kMemory = 24ULL * 1024 * 1024;
  static_assert(kReaders * kLarge < kMemory / limits::kPinnedShare);
  static_assert(kReaders * limits::kMaxReplayPage >
                kMemory / limits::kPinnedShare + limits::kMaxReplayCache);
  options.history_total_bytes = kMemory;
  options.max_event_bytes = 2 * kLarge;
  start();
  for (std::uint64_t i = 0; i < 5 * kReaders + 8; ++i) {
    publish("topic=t0", std::string(kLarge, 'x'));
  }
  publish_events(500);
  std::vector<std::unique_ptr<TestSubscriber>> readers;
  for (std::uint64_t i = 0; i < kReaders; ++i) {
    readers.push_back(std::make_unique<TestSubscriber>(address(), "/events?topic=t0",
                                                       resume_at(position(5 * i)), 4096));
  }
  EXPECT_TRUE(eventually([&] { return sum(&ShardMetrics::short_sends) >= kReaders; }));
  for (auto& reader : readers) {
    reader->wait_until([&] { return reader->events().size() > 8; });
  }
  EXPECT_EQ(sum(&ShardMetrics::slow_disconnects), 0U);
}

// What the file drops under a stream is told of, and no more than that.
TEST_P(ServerPast, WhatGoesFromTheFileIsAGap) {
  options.history_file_bytes = 1024ULL * 1024;
  start();
  publish_events(2000, 1000);
  std::atomic<bool> over = false;
  std::jthread publisher([&] {
    publish_events(4000, 1000);
    over = true;
  });
  core::Sequence gone = 0;
  while (!over) {
    const std::vector<Published> all = published();
    const Topics topics = some_topics(random_);
    TestSubscriber reader(address(), target_of(topics), resume_at(position(1)), 4096);
    gone = std::max(gone, read_all(reader, topics, 1, all));
  }
  publisher.join();
  EXPECT_GT(gone, 0U);
  const std::vector<Published> all = published();
  const core::Sequence floor = server().state().hub.store().floor();
  ASSERT_GT(floor, 0U);
  TestSubscriber reader(address(), "/events?topic=t0", resume_at(position(floor)));
  EXPECT_EQ(read_all(reader, {"t0"}, floor, all), 0U) << "what is left has no hole";
}

// Of a quiet topic memory may have what the file has dropped: that is no part of the gap.
TEST_P(ServerPast, WhatMemoryHasOfAQuietTopicIsNotGone) {
  options.history_file_bytes = 1024ULL * 1024;
  options.history_bytes = 4096;
  options.slow_bytes = 4096;
  options.history_total_bytes = 16ULL * 1024 * 1024;
  start();
  for (const char* data : {"1", "2", "3"}) publish("topic=quiet", data);
  publish_events(4000, 1000);
  ASSERT_GT(server().state().hub.store().floor(), 3U);
  TestSubscriber reader(address(), "/events?topic=quiet&topic=t0", resume_at(position(1)));
  const auto& events = reader.wait_events(10);
  EXPECT_EQ(events[0].type, "gap");
  EXPECT_EQ(events[1].data, "2");
  EXPECT_EQ(events[2].data, "3");
  for (std::size_t i = 3; i < events.size(); ++i) EXPECT_NE(events[i].type, "gap");
  EXPECT_EQ(sum(&ShardMetrics::gaps), 1U);
}

// Who does not read has no page meanwhile, and goes on where it was.
TEST_P(ServerPast, WhoTakesNothingHoldsNothing) {
  options.send_buffer = 4096;
  start();
  publish_events(5000);
  const std::vector<Published> all = published();
  TestSubscriber slow(address(), "/events?topic=t0&topic=t1&topic=t2", resume_at(position(0)),
                      4096);
  EXPECT_TRUE(eventually([&] { return sum(&ShardMetrics::streams_blocked) == 1; }));
  EXPECT_TRUE(eventually([&] { return metric("tocsin_replays_running") == 0; }));
  EXPECT_EQ(metric("tocsin_replays_waiting"), 0);
  EXPECT_EQ(read_all(slow, {"t0", "t1", "t2"}, 0, all), 0U);
}

// And not for longer than any other slow stream.
TEST_P(ServerPast, WhoTakesNothingForTooLongIsSlow) {
  options.send_buffer = 4096;
  options.slow_seconds = 1;
  start();
  publish_events(5000);
  TestSubscriber slow(address(), "/events?topic=t0", resume_at(position(0)), 4096);
  EXPECT_TRUE(eventually([&] { return sum(&ShardMetrics::slow_disconnects) == 1; }));
  EXPECT_EQ(metric("tocsin_replays_running"), 0);
  EXPECT_EQ(metric("tocsin_replays_waiting"), 0);
  slow.wait_end();
}

TEST_P(ServerPast, WithLatestItGoesOnAtTheNewestEvent) {
  options.send_buffer = 4096;
  options.slow_seconds = 1;
  options.slow_policy = SlowPolicy::latest;
  start();
  publish_events(5000);
  TestSubscriber slow(address(), "/events?topic=t0", resume_at(position(0)), 4096);
  EXPECT_TRUE(eventually([&] { return sum(&ShardMetrics::slow_skips) == 1; }));
  EXPECT_EQ(metric("tocsin_replays_running"), 0);
  const std::vector<Published> all = published();
  const auto newest = std::find_if(all.rbegin(), all.rend(),
                                   [](const Published& event) { return event.topic == "t0"; });
  slow.wait_until([&] { return !slow.events().empty() && slow.events().back().id == newest->id; });
  EXPECT_EQ(slow.events()[slow.events().size() - 2].type, "gap");
  EXPECT_THAT(slow.events()[slow.events().size() - 2].data, testing::HasSubstr("slow"));
}

// Who resumes in a topic that was removed is told of the gap, as in memory.
TEST_P(ServerPast, WhatWasRemovedIsNotReadAgain) {
  start();
  publish_events(1500);
  ASSERT_TRUE(server().remove_topic("t0"));
  publish_events(1500);
  TestSubscriber reader(address(), "/events?topic=t0", resume_at(position(1)));
  EXPECT_EQ(reader.wait_events(2).front().type, "gap");
  EXPECT_GT(proto::parse_event_id(reader.events().front().id)->sequence, 1499U);
  TestSubscriber other(address(), "/events?topic=t1", resume_at(position(1)));
  EXPECT_EQ(read_all(other, {"t1"}, 1, published()), 0U);
}

// Topics with bounds of their own go back no further than these, and who names no known position no
// further than memory.
TEST_P(ServerPast, WhatReachesBackIsAKnownPosition) {
  options.namespaces.push_back(
      {.match = "bounded", .options = {.history_count = 3, .history_bytes = 10'000}});
  start();
  publish_events(1500);
  for (int i = 0; i < 100; ++i) publish("topic=bounded", std::to_string(i));
  TestSubscriber bounded(address(), "/events?topic=bounded", resume_at("earliest"));
  EXPECT_EQ(bounded.wait_data(3).front(), "97");
  TestSubscriber below(address(), "/events?topic=bounded", resume_at(position(5)));
  EXPECT_EQ(below.wait_events(1).front().type, "gap");
  EXPECT_THAT(below.events().front().data, testing::HasSubstr("expired"));
  TestSubscriber unknown(address(), "/events?topic=t0", resume_at("nobody-s"));
  EXPECT_EQ(unknown.wait_events(1).front().type, "gap");
  EXPECT_THAT(unknown.events().front().data, testing::HasSubstr("unknown_id"));
  EXPECT_EQ(sum(&ShardMetrics::past_deliveries), 0U);
}

}  // namespace
}  // namespace tocsin::net
