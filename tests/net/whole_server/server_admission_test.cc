// The limits on streams: the newcomer is refused with 503, at the limit of its address with 429,
// and who is there stays.
#include <deque>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "proto/limits.h"
#include "tests/net/support/server_fixture.h"

namespace tocsin::net {
namespace {

using testing::HasSubstr;

class ServerAdmission : public ServerTest {
 protected:
  // Asks for a stream and expects to be refused.
  void expect_refused(TestClient client, const std::string& why, int status = 503) {
    const TestResponse response = client.request("GET /events HTTP/1.1\r\nHost: h\r\n\r\n");
    EXPECT_EQ(response.status, status);
    EXPECT_EQ(response.header("Content-Type"), "application/problem+json");
    EXPECT_THAT(response.body, HasSubstr(why));
    const int retry_after = std::atoi(response.header("Retry-After").c_str());
    EXPECT_GE(retry_after, 1);
    EXPECT_LE(retry_after, 10);
    retry_afters_.insert(retry_after);
    EXPECT_EQ(client.read_to_end(), "");
  }
  // Every stream that is open still gets events.
  void expect_served(std::deque<TestSubscriber>& streams) {
    publish("", "still here");
    for (TestSubscriber& stream : streams) {
      EXPECT_EQ(stream.wait_events(stream.events().size() + 1).back().data, "still here");
    }
  }

  std::set<int> retry_afters_;
};
INSTANTIATE_TEST_SUITE_P(Server, ServerAdmission, testing::ValuesIn(ServerTest::kBackends),
                         ServerTest::backend_name);

TEST_P(ServerAdmission, AtMostSoManyStreams) {
  options.max_connections = 3;
  start();
  std::deque<TestSubscriber> streams;
  for (int i = 0; i < 3; ++i) streams.emplace_back(address());
  for (int i = 0; i < 20; ++i) expect_refused(connect(), "as many streams as it is configured");
  EXPECT_GT(retry_afters_.size(), 1U) << "jittered, so that they do not come back together";
  EXPECT_EQ(rejections(Rejection::connection_limit), 20U);
  expect_served(streams);
  streams.pop_back();
  EXPECT_TRUE(eventually([&] { return sum(&ShardMetrics::streams_open) == 2; }));
  streams.emplace_back(address());
  expect_served(streams);
}

TEST_P(ServerAdmission, PublishersAndProbesAreNotStreams) {
  options.max_connections = 1;
  start();
  std::deque<TestSubscriber> streams;
  streams.emplace_back(address());
  std::deque<TestClient> clients;
  for (int i = 0; i < 10; ++i) {
    clients.push_back(connect());
    EXPECT_EQ(clients.back().request(post("", "x")).status, 204);
  }
  EXPECT_EQ(get("/readyz").status, 200);
}

TEST_P(ServerAdmission, AtMostSoManyFromOneAddress) {
  options.max_per_address = 2;
  start();
  std::deque<TestSubscriber> streams;
  for (int i = 0; i < 2; ++i) {
    streams.emplace_back(address(), "/events", "", 0, "127.0.0.11:0");
    streams.emplace_back(address(), "/events", "", 0, "127.0.0.12:0");
  }
  expect_refused(TestClient(address(), 0, "127.0.0.11:0"), "this address", 429);
  expect_refused(TestClient(address(), 0, "127.0.0.12:0"), "this address", 429);
  EXPECT_EQ(rejections(Rejection::address_limit), 2U);
  streams.emplace_back(address(), "/events", "", 0, "127.0.0.13:0");
  expect_served(streams);
  // The place is free again when one leaves.
  streams.pop_front();
  EXPECT_TRUE(eventually([&] { return sum(&ShardMetrics::streams_open) == 4; }));
  streams.emplace_back(address(), "/events", "", 0, "127.0.0.11:0");
  expect_served(streams);
}

TEST_P(ServerAdmission, AtMostSoManyConnectionsThatAreNoStreamsFromOneAddress) {
  options.max_per_address = 1;
  options.shards = 1;
  options.request_timeout_s = 600;
  start();
  const auto from = [&](const char* host) { return TestClient(address(), 0, host); };
  std::deque<TestClient> silent;
  for (std::uint32_t i = 0; i < limits::kMinRequestsPerAddress; ++i) {
    silent.push_back(from("127.0.0.11:0"));
  }
  EXPECT_TRUE(eventually(
      [&] { return sum(&ShardMetrics::requests_open) == limits::kMinRequestsPerAddress; }));
  // Told before it asks.
  const auto expect_told = [&](TestClient client) {
    const TestResponse response = client.response();
    EXPECT_EQ(response.status, 429);
    EXPECT_THAT(response.body, HasSubstr("this address"));
    EXPECT_FALSE(response.header("Date").empty());
    EXPECT_EQ(response.header("Access-Control-Allow-Origin"), "*");
    retry_afters_.insert(std::atoi(response.header("Retry-After").c_str()));
  };
  for (int i = 0; i < 20; ++i) expect_told(from("127.0.0.11:0"));
  EXPECT_GT(retry_afters_.size(), 1U);
  EXPECT_EQ(rejections(Rejection::address_limit), 20U);
  TestClient other = from("127.0.0.12:0");
  EXPECT_EQ(other.request("GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n").status, 200);
  // One that becomes a stream is counted as such, and one that leaves not at all.
  EXPECT_EQ(silent.front().request("GET /events HTTP/1.1\r\nHost: h\r\n\r\n").status, 200);
  silent.push_back(from("127.0.0.11:0"));
  EXPECT_EQ(silent.back().request("GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n").status, 200);
  expect_told(from("127.0.0.11:0"));
  silent.pop_back();
  EXPECT_TRUE(eventually([&] {
    return sum(&ShardMetrics::requests_open) == limits::kMinRequestsPerAddress;  // with `other`
  }));
  silent.push_back(from("127.0.0.11:0"));
  EXPECT_EQ(silent.back().request("GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n").status, 200);
}

// Who asks for what is not there takes nothing from the others.
TEST_P(ServerAdmission, AStreamThatIsNotOpenedIsNotCountedAsNew) {
  options.accept_rate = 1;
  options.auto_topics = false;
  options.topics = {"a"};
  start();
  for (int i = 0; i < 20; ++i) EXPECT_EQ(get("/events?stream=b").status, 404);
  TestSubscriber stream = subscribe("/events?stream=a");
  EXPECT_EQ(rejections(Rejection::accept_rate), 0U);
}

TEST_P(ServerAdmission, AtMostSoManyNewStreamsASecond) {
  options.accept_rate = 2;
  start();
  std::deque<TestSubscriber> streams;
  EXPECT_TRUE(eventually([&] {
    TestClient client = connect();
    client.send("GET /events HTTP/1.1\r\nHost: h\r\n\r\n");
    const TestResponse response = client.response();
    if (response.status == 200) return false;
    EXPECT_EQ(response.status, 503);
    EXPECT_THAT(response.body, HasSubstr("faster than"));
    return true;
  }));
  EXPECT_GE(rejections(Rejection::accept_rate), 1U);
  // It passes.
  EXPECT_TRUE(eventually([&] {
    TestClient client = connect();
    return client.request("GET /events HTTP/1.1\r\nHost: h\r\n\r\n").status == 200;
  }));
}

TEST_P(ServerAdmission, LimitsCanBeChangedWhileStreamsStayOpen) {
  options.max_connections = 2;
  start();
  std::deque<TestSubscriber> streams;
  streams.emplace_back(address());
  streams.emplace_back(address());
  expect_refused(connect(), "as many");
  options.max_connections = 3;
  server().reload(options);
  // Shards take it over at their next turn.
  EXPECT_TRUE(eventually([&] {
    TestClient client = connect();
    client.send("GET /events HTTP/1.1\r\nHost: h\r\n\r\n");
    return client.response().status == 200;
  }));
  options.max_connections = 1;
  server().reload(options);
  EXPECT_TRUE(eventually([&] {
    TestClient client = connect();
    return client.request("GET /events HTTP/1.1\r\nHost: h\r\n\r\n").status == 503;
  }));
  expect_served(streams);
}

}  // namespace
}  // namespace tocsin::net
