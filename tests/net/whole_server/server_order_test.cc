// Several publishers on several shards at once: every connection receives all events of its topics
// in the order of their sequence.
#include <deque>
#include <future>
#include <map>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/net/support/server_fixture.h"

namespace tocsin::net {
namespace {

class ServerOrder : public ServerTest {
 protected:
  static constexpr int kPublishers = 6;
  static constexpr int kEach = 400;
  static constexpr int kTopics = 10;

  // Publisher `who` sends its numbered events to topics in turns, in mixed forms and batches.
  void run_publisher(int who) const {
    TestClient client = connect();
    const auto topic = [who](int i) { return "t" + std::to_string((i * 7 + who) % kTopics); };
    const auto data = [who](int i) { return std::to_string(who) + ":" + std::to_string(i); };
    int requests = 0;
    for (int i = 0; i < kEach;) {
      if (i % 3 == 0 && i + 5 <= kEach) {
        std::string lines;
        for (int end = i + 5; i < end; ++i) {
          lines += "{\"stream\":\"" + topic(i) + "\",\"data\":\"" + data(i) + "\"}\n";
        }
        client.send(post("", lines, "Content-Type: application/x-ndjson\r\n"));
      } else {
        client.send(post("stream=" + topic(i), data(i)));
        ++i;
      }
      ++requests;
    }
    for (int i = 0; i < requests; ++i) {
      const TestResponse response = client.response();
      if (response.status / 100 != 2) throw std::runtime_error(response.body);
    }
  }

  // Strictly increasing ids, and each publisher's events in its own order.
  static void check_order(const std::vector<TestEvent>& events, std::size_t expected) {
    ASSERT_EQ(events.size(), expected);
    unsigned long last = 0;
    std::map<std::string, int> next;
    std::set<std::string> seen;
    for (const TestEvent& event : events) {
      const unsigned long sequence = std::stoul(event.id.substr(9));
      ASSERT_GT(sequence, last) << "out of order or twice";
      last = sequence;
      ASSERT_TRUE(seen.insert(event.data).second) << event.data << " twice";
      const auto colon = event.data.find(':');
      const int number = std::stoi(event.data.substr(colon + 1));
      int& least = next[event.data.substr(0, colon)];
      ASSERT_GE(number, least) << "a publisher's events out of order";
      least = number + 1;
    }
  }
};
INSTANTIATE_TEST_SUITE_P(Server, ServerOrder, testing::ValuesIn(ServerTest::kBackends),
                         ServerTest::backend_name);

TEST_P(ServerOrder, OverManyTopicsAndPublishers) {
  options.slow_bytes = 64ULL * 1024 * 1024;
  start();
  std::string all = "/events?";
  for (int i = 0; i < kTopics; ++i) all += "stream=t" + std::to_string(i) + "&";
  std::deque<TestSubscriber> every_topic;
  std::deque<TestSubscriber> one_topic;
  for (int i = 0; i < 6; ++i) every_topic.emplace_back(address(), all);
  for (int i = 0; i < kTopics; ++i) {
    one_topic.emplace_back(address(), "/events?stream=t" + std::to_string(i));
  }
  // On several shards, or the test is about nothing.
  std::vector<TestClient> probes;
  EXPECT_TRUE(eventually([&] {
    for (const auto& shard : server().state().metrics) {
      if (shard->streams_open.get() == 0) {
        every_topic.emplace_back(address(), all);
        return false;
      }
    }
    return true;
  }));
  std::vector<std::future<void>> publishers;
  for (int i = 0; i < kPublishers; ++i) {
    publishers.push_back(std::async(std::launch::async, [this, i] { run_publisher(i); }));
  }
  for (TestSubscriber& stream : every_topic) {
    stream.wait_events(std::size_t{kPublishers} * kEach);
  }
  for (auto& publisher : publishers) publisher.get();
  for (const TestSubscriber& stream : every_topic) {
    check_order(stream.events(), std::size_t{kPublishers} * kEach);
  }
  // The same events in the same order for all, and each topic's readers have their part of them.
  std::map<std::string, const TestEvent*> by_id;
  for (const TestEvent& event : every_topic[0].events()) by_id[event.id] = &event;
  for (const TestSubscriber& stream : every_topic) {
    EXPECT_EQ(stream.events(), every_topic[0].events());
  }
  std::size_t total = 0;
  for (int i = 0; i < kTopics; ++i) {
    TestSubscriber& stream = one_topic[static_cast<std::size_t>(i)];
    publish("stream=t" + std::to_string(i), "9:0");
    stream.wait_until(
        [&] { return !stream.events().empty() && stream.events().back().data == "9:0"; });
    std::vector<TestEvent> events = stream.events();
    events.pop_back();
    check_order(events, events.size());
    for (const TestEvent& event : events) EXPECT_EQ(*by_id.at(event.id), event);
    total += events.size();
  }
  EXPECT_EQ(total, std::size_t{kPublishers} * kEach);
}

}  // namespace
}  // namespace tocsin::net
