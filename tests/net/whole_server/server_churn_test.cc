// Subscribers come, go and resume while publishers publish, in threads: each one's events are
// complete, in order, and come once.
#include <atomic>
#include <future>
#include <random>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "net/http/metrics_page.h"
#include "tests/net/support/server_fixture.h"

namespace tocsin::net {
namespace {

class ServerChurn : public ServerTest {
 protected:
  static constexpr int kPublishers = 3;
  static constexpr int kSubscribers = 6;
  static constexpr int kReconnects = 25;

  // Publishes "N" to topic t<who>, N from 0 up, until told to stop.
  void run_publisher(int who) {
    TestClient client = connect();
    const std::string query = "stream=t" + std::to_string(who);
    for (int next = 0; !stop_; next += 10) {
      std::string requests;
      for (int i = 0; i < 10; ++i) requests += post(query, std::to_string(next + i));
      client.send(requests);
      for (int i = 0; i < 10; ++i) {
        if (client.response().status != 204) throw std::runtime_error("refused");
      }
    }
  }

  // Reads two topics over many connections, each resuming where the last one was cut off.
  void run_subscriber(int who, std::uint64_t seed) const {
    std::mt19937_64 random(seed + static_cast<std::uint64_t>(who));
    const int other = (who + 1) % kPublishers;
    const std::string target =
        "/events?stream=t" + std::to_string(who % kPublishers) +
        (other == who % kPublishers ? "" : "&stream=t" + std::to_string(other));
    std::string last_id;
    unsigned long last_sequence = 0;
    std::map<int, int> next;  // by topic's number parity of its publisher: see topic_of
    for (int i = 0; i < kReconnects; ++i) {
      TestSubscriber stream(address(), target,
                            last_id.empty() ? "" : "Last-Event-ID: " + last_id + "\r\n");
      stream.wait_events(1 + random() % 60);
      for (const TestEvent& event : stream.events()) {
        const unsigned long sequence = std::stoul(event.id.substr(9));
        if (event.type == "gap") throw std::runtime_error("a gap: " + event.data);
        if (sequence <= last_sequence) throw std::runtime_error("twice or out of order");
        last_sequence = sequence;
        check_number(event, next);
      }
      last_id = stream.events().back().id;
      if (random() % 2 == 0) stream.client().reset();
    }
  }

  // Two interleaved counts without holes: an event continues one of them.
  static void check_number(const TestEvent& event, std::map<int, int>& next) {
    const int number = std::stoi(event.data);
    for (auto& [index, expected] : next) {
      if (number == expected) {
        ++expected;
        return;
      }
    }
    if (next.size() == 2) throw std::runtime_error("missing before " + event.data);
    next[static_cast<int>(next.size())] = number + 1;
  }

  std::atomic<bool> stop_{false};
};
INSTANTIATE_TEST_SUITE_P(Server, ServerChurn, testing::ValuesIn(ServerTest::kBackends),
                         ServerTest::backend_name);

TEST_P(ServerChurn, EverySubscriberGetsEverythingOnce) {
  const std::uint64_t seed = test_seed();
  options.history_count = 1'000'000;
  options.history_bytes = 256ULL * 1024 * 1024;
  options.slow_bytes = 64ULL * 1024 * 1024;
  start();
  std::vector<std::future<void>> publishers;
  std::vector<std::future<void>> subscribers;
  for (int i = 0; i < kPublishers; ++i) {
    publishers.push_back(std::async(std::launch::async, [this, i] { run_publisher(i); }));
  }
  for (int i = 0; i < kSubscribers; ++i) {
    subscribers.push_back(
        std::async(std::launch::async, [this, i, seed] { run_subscriber(i, seed); }));
  }
  for (auto& subscriber : subscribers) EXPECT_NO_THROW(subscriber.get());
  stop_ = true;
  for (auto& publisher : publishers) EXPECT_NO_THROW(publisher.get());
  EXPECT_EQ(sum(&ShardMetrics::slow_disconnects) + sum(&ShardMetrics::gaps), 0U);
  EXPECT_TRUE(eventually([&] { return sum(&ShardMetrics::streams_open) == 0; }));
}

// Everything that other threads may call, while the hub works.
TEST_P(ServerChurn, OptionsMetricsAndWatchdogFromOtherThreads) {
  start();
  std::vector<std::future<void>> threads;
  threads.push_back(std::async(std::launch::async, [this] { run_publisher(0); }));
  threads.push_back(std::async(std::launch::async, [this] {
    ServerOptions changed = options;
    while (!stop_) {
      changed.history_count = changed.history_count == 5 ? 50 : 5;
      server().reload(changed);
    }
  }));
  threads.push_back(std::async(std::launch::async, [this] {
    while (!stop_) (void)render_metrics(server().state());
  }));
  threads.push_back(std::async(std::launch::async, [this] {
    while (!stop_) {
      (void)server().all_turned();
      (void)server().ended();
    }
  }));
  for (int i = 0; i < 20; ++i) {
    TestSubscriber stream = subscribe("/events?stream=t0");
    stream.wait_events(20);
  }
  stop_ = true;
  for (auto& thread : threads) EXPECT_NO_THROW(thread.get());
}

}  // namespace
}  // namespace tocsin::net
