// /metrics of a server that has seen everything, against what is true.
#include <deque>
#include <fstream>
#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "proto/version.h"
#include "tests/net/support/server_fixture.h"

namespace tocsin::net {
namespace {

using testing::HasSubstr;
using testing::Not;

class ServerMetrics : public ServerTest {
 protected:
  // Established connections that the kernel has on the server's side. Others may use its port on
  // another address. The table is read in parts, and others' connections move lines between them: a
  // connection may be seen twice or not at all.
  [[nodiscard]] std::size_t established() const {
    char server[32];
    std::snprintf(server, sizeof server, "0100007F:%04X", std::stoi(address().substr(10)));
    std::ifstream table("/proc/net/tcp");
    std::size_t count = 0;
    for (std::string line; std::getline(table, line);) {
      std::istringstream words(line);
      std::string number, local, remote, state;
      words >> number >> local >> remote >> state;
      count += local == server && state == "01" ? 1U : 0U;
    }
    return count;
  }
};
INSTANTIATE_TEST_SUITE_P(Server, ServerMetrics, testing::ValuesIn(ServerTest::kBackends),
                         ServerTest::backend_name);

TEST_P(ServerMetrics, APageThatAScraperTakesAndNoTopicNames) {
  start();
  TestSubscriber stream = subscribe("/events?stream=secret-topic");
  publish("stream=secret-topic", "x");
  EXPECT_EQ(get("/nowhere-secret").status, 404);
  stream.wait_events(1);
  const TestResponse response = get("/metrics");
  EXPECT_EQ(response.header("Content-Type"), "text/plain; version=0.0.4; charset=utf-8");
  check_metrics_page(response.body);
  EXPECT_THAT(response.body, Not(HasSubstr("secret")));
  const std::string io = GetParam() == IoChoice::uring ? "io_uring" : "epoll";
  EXPECT_THAT(response.body, HasSubstr("tocsin_info{shard=\"1\",io=\"" + io + "\"} 1\n"));
}

// Of a store that is not there nothing is said; not 0.
TEST_P(ServerMetrics, AHistoryInMemoryHasNoMetricsOfAStore) {
  start();
  const std::string page = get("/metrics").body;
  for (const char* name : {"tocsin_store_", "tocsin_publishes_pending", "tocsin_pending_bytes",
                           "tocsin_history_bytes", "tocsin_replay"}) {
    EXPECT_THAT(page, Not(HasSubstr(name)));
  }
}

TEST_P(ServerMetrics, CountsWhatHappened) {
  start();
  TestSubscriber one = subscribe("/events?stream=a");
  TestSubscriber two = subscribe("/events?stream=a&stream=b");
  TestClient publisher = connect();
  for (int i = 0; i < 10; ++i) EXPECT_EQ(publisher.request(post("stream=a", "x")).status, 204);
  EXPECT_EQ(publisher
                .request(post("stream=b", "[{\"data\":1},{\"data\":2}]",
                              "Content-Type: application/json\r\n"))
                .status,
            200);
  one.wait_events(10);
  two.wait_events(12);
  EXPECT_EQ(publisher.request(post("stream=a&retry=x", "x")).status, 400);
  TestSubscriber resumed =
      subscribe("/events?stream=b&last_event_id=" + two.parser().last_event_id());
  EXPECT_TRUE(eventually([&] { return metric("tocsin_deliveries_total") == 22; }));
  const auto samples = metrics();
  const auto total = [&](const std::string& name) {
    double sum = 0;
    for (const auto& [key, value] : samples) sum += key.starts_with(name + "{") ? value : 0;
    return sum;
  };
  EXPECT_EQ(total("tocsin_events_published_total"), 12);
  EXPECT_EQ(samples.at("tocsin_events_encoded_total"), 12) << "encoded once each";
  EXPECT_EQ(total("tocsin_publishes_total"), 11);
  EXPECT_EQ(total("tocsin_streams_opened_total"), 3);
  EXPECT_EQ(total("tocsin_streams_resumed_total"), 1);
  EXPECT_EQ(samples.at("tocsin_rejections_total{reason=\"invalid\"}"), 1);
  EXPECT_EQ(samples.at("tocsin_topics"), 2);
  EXPECT_EQ(samples.at("tocsin_unswept_bytes"), 0);
  EXPECT_GT(samples.at("tocsin_log_bytes"), 0);
  EXPECT_GE(samples.at("tocsin_events_per_send_count"), 1);
  EXPECT_EQ(samples.at("tocsin_events_per_send_sum"), 22);
  // 22 deliveries, in so many sends as came about; the replay's is none.
  const double sends = samples.at("tocsin_delivery_latency_seconds_count");
  EXPECT_GE(sends, 2);
  EXPECT_LE(sends, 22);
  EXPECT_GT(samples.at("tocsin_delivery_latency_seconds_sum"), 0);
}

TEST_P(ServerMetrics, SaysWhatBuildItIsAndWhatTheProcessTakes) {
  start();
  const TestResponse response = get("/metrics");
  EXPECT_THAT(response.body, HasSubstr("tocsin_build_info{version=\"" + std::string(version())));
  const auto samples = parse_metrics(response.body);
  EXPECT_GT(samples.at("process_cpu_seconds_total"), 0);
  EXPECT_GT(samples.at("process_resident_memory_bytes"), 1 << 20);
  EXPECT_GT(samples.at("process_start_time_seconds"), 1.7e9);
  EXPECT_GT(samples.at("process_threads"), 2);
}

TEST_P(ServerMetrics, GaugesAgreeWithTheKernel) {
  start();
  std::deque<TestSubscriber> streams;
  std::deque<TestClient> clients;
  for (int i = 0; i < 25; ++i) streams.emplace_back(address());
  for (int i = 0; i < 7; ++i) {
    clients.push_back(connect());
    EXPECT_EQ(clients.back().request(post("", "x")).status, 204);
  }
  const auto open = [&] {
    return sum(&ShardMetrics::streams_open) + sum(&ShardMetrics::requests_open);
  };
  EXPECT_EQ(sum(&ShardMetrics::streams_open), 25U);
  EXPECT_TRUE(eventually([&] { return open() == established(); }));
  for (int i = 0; i < 10; ++i) streams.pop_front();
  clients.clear();
  EXPECT_TRUE(eventually([&] { return open() == 15; }));
  EXPECT_TRUE(eventually([&] { return established() == 15; }));
  const auto samples = metrics();
  double shown = 0;
  for (const auto& [name, value] : samples) {
    if (name.starts_with("tocsin_connections{") && name.find("\"stream\"") != std::string::npos) {
      shown += value;
    }
  }
  EXPECT_EQ(shown, 15);
  EXPECT_EQ(server().state().admission.streams(), 15U);
}

}  // namespace
}  // namespace tocsin::net
