// Readers that do not read: they hold nobody up, and what happens to them is the policy's choice.

#include <algorithm>
#include <string>
#include <utility>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/net/support/server_fixture.h"

namespace tocsin::net {
namespace {

using testing::HasSubstr;

class ServerSlow : public ServerTest {
 protected:
  ServerSlow() {
    options.send_buffer = 4096;
    options.slow_bytes = 100'000;
    options.history_count = 100'000;
  }
  // Reads only what a test waits for, and has little room for more.
  [[nodiscard]] TestSubscriber slow_reader() const {
    return TestSubscriber(address(), "/events?stream=a", "", 4096);
  }
  // Publishes events of 1,000 bytes, numbered from where the last call ended.
  void publish_some(int count) {
    TestClient publisher = connect();
    // Not all before the first answer is read: the hub stops reading from who does not read, and
    // how much the kernel holds in between is a setting of the machine.
    constexpr int kPipelined = 50;
    for (int done = 0; done < count; done += kPipelined) {
      const int part = std::min(kPipelined, count - done);
      std::string requests;
      for (int i = 0; i < part; ++i) {
        std::string data = std::to_string(next_++) + ' ';
        data.resize(1000, '.');
        requests += post("stream=a", data);
      }
      publisher.send(requests);
      for (int i = 0; i < part; ++i) ASSERT_EQ(publisher.response().status, 204);
    }
  }
  static int number_of(const TestEvent& event) { return std::stoi(event.data); }
  static void wait_until_newest_is(TestSubscriber& reader, int number) {
    reader.wait_until([&] {
      return !reader.events().empty() && reader.events().back().type != "gap" &&
             number_of(reader.events().back()) == number;
    });
  }

  int next_ = 0;
};
INSTANTIATE_TEST_SUITE_P(Server, ServerSlow, testing::ValuesIn(ServerTest::kBackends),
                         ServerTest::backend_name);

// Short pauses are no reason to lose anything: catching up is the same path as live delivery.
TEST_P(ServerSlow, AReaderThatPausesGetsEverything) {
  options.slow_bytes = 64ULL * 1024 * 1024;
  options.history_bytes = 1024;  // not by history: the backlog alone keeps it
  start();
  TestSubscriber pausing = slow_reader();
  TestSubscriber fast = subscribe("/events?stream=a");
  publish_some(2000);
  fast.wait_events(2000);
  EXPECT_EQ(sum(&ShardMetrics::streams_blocked), 1U);
  EXPECT_GE(sum(&ShardMetrics::blocked_sends) + sum(&ShardMetrics::short_sends), 1U);
  const auto& events = pausing.wait_events(2000);
  for (int i = 0; i < 2000; ++i) ASSERT_EQ(number_of(events[static_cast<std::size_t>(i)]), i);
  EXPECT_TRUE(eventually([&] { return sum(&ShardMetrics::streams_blocked) == 0; }));
  EXPECT_EQ(sum(&ShardMetrics::gaps) + sum(&ShardMetrics::slow_disconnects), 0U);
}

TEST_P(ServerSlow, IsDisconnectedAndResumesWithoutLoss) {
  start();
  TestSubscriber slow = slow_reader();
  TestSubscriber fast = subscribe("/events?stream=a");
  publish_some(500);
  fast.wait_events(500);
  EXPECT_TRUE(eventually([&] { return sum(&ShardMetrics::slow_disconnects) == 1; }));
  slow.wait_end();
  ASSERT_LT(slow.events().size(), 500U);
  TestSubscriber again =
      subscribe("/events?stream=a", "Last-Event-ID: " + slow.parser().last_event_id() + "\r\n");
  std::vector<TestEvent> all = slow.events();
  const auto& rest = again.wait_events(500 - all.size());
  all.insert(all.end(), rest.begin(), rest.end());
  for (int i = 0; i < 500; ++i) ASSERT_EQ(number_of(all[static_cast<std::size_t>(i)]), i);
  EXPECT_EQ(sum(&ShardMetrics::gaps), 0U);
}

TEST_P(ServerSlow, IsMovedToTheNewestAndTold) {
  options.slow_policy = SlowPolicy::latest;
  start();
  TestSubscriber slow = slow_reader();
  TestSubscriber fast = subscribe("/events?stream=a");
  publish_some(500);
  fast.wait_events(500);
  EXPECT_TRUE(eventually([&] { return sum(&ShardMetrics::slow_skips) >= 1; }));
  EXPECT_EQ(sum(&ShardMetrics::slow_disconnects), 0U);
  wait_until_newest_is(slow, 499);
  publish_some(1);
  wait_until_newest_is(slow, 500);
  // In order, and where numbers are missing there is a gap event that says so.
  int expected = 0;
  int gaps = 0;
  std::string last_id;
  for (const TestEvent& event : slow.events()) {
    const std::string before = std::exchange(last_id, event.id);
    if (event.type == "gap") {
      EXPECT_THAT(event.data, HasSubstr(R"("reason":"slow")"));
      if (!before.empty()) {
        EXPECT_THAT(event.data, HasSubstr("\"last_event_id\":\"" + before + '"'))
            << "who was skipped is told from where on";
      }
      ++gaps;
      expected = -1;
      continue;
    }
    const int number = number_of(event);
    if (expected >= 0) {
      ASSERT_EQ(number, expected) << "skipped silently";
    }
    expected = number + 1;
  }
  EXPECT_GE(gaps, 1);
  EXPECT_LT(slow.events().size(), 500U) << "the test has not met what it is about";
}

// The hub disconnects, this topic conflates, and at a bound of its own.
TEST_P(ServerSlow, ATopicMayHaveItsOwnPolicy) {
  options.slow_bytes = 64ULL * 1024 * 1024;
  start();
  ASSERT_TRUE(server().create_topic(
      "a", {.slow_policy = SlowPolicy::latest, .slow_bytes = std::uint64_t{100'000}}));
  TestSubscriber slow = slow_reader();
  publish_some(500);
  EXPECT_TRUE(eventually([&] { return sum(&ShardMetrics::slow_skips) >= 1; }));
  EXPECT_EQ(sum(&ShardMetrics::slow_disconnects), 0U);
  wait_until_newest_is(slow, 499);
}

TEST_P(ServerSlow, ByTimeAlone) {
  options.slow_bytes = 64ULL * 1024 * 1024;
  options.slow_seconds = 1;
  start();
  TestSubscriber slow = slow_reader();
  publish_some(500);
  EXPECT_TRUE(eventually([&] { return sum(&ShardMetrics::slow_disconnects) == 1; }));
  slow.wait_end();
}

// Over several topics, blocked in the middle of frames again and again.
TEST_P(ServerSlow, EveryByteCutIsSurvived) {
  options.slow_bytes = 64ULL * 1024 * 1024;
  start();
  TestSubscriber stream(address(), "/events?stream=a&stream=b", "", 2048);
  TestClient publisher = connect();
  std::size_t expected = 0;
  for (int round = 0; round < 30; ++round) {
    std::string requests;
    for (int i = 0; i < 40; ++i) {
      const std::string topic = i % 2 == 0 ? "a" : "b";
      requests +=
          post("stream=" + topic, std::to_string(expected++) +
                                      std::string(static_cast<std::size_t>(round * 37 + i), '.'));
    }
    publisher.send(requests);
    for (int i = 0; i < 40; ++i) ASSERT_EQ(publisher.response().status, 204);
    stream.wait_events(expected / 2);
  }
  const auto& events = stream.wait_events(expected);
  for (std::size_t i = 0; i < expected; ++i) {
    ASSERT_EQ(std::stoul(events[i].data), i);
  }
  EXPECT_GT(sum(&ShardMetrics::short_sends), 0U);
}

}  // namespace
}  // namespace tocsin::net
