// Peers that leave: in every state, by reset, by closing, by half of it.
#include <netinet/in.h>

#include <cstdio>
#include <fstream>
#include <functional>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/net/support/server_fixture.h"

namespace tocsin::net {
namespace {

using testing::ElementsAre;

const std::string kSubscribe = "GET /events?stream=a HTTP/1.1\r\nHost: h\r\n\r\n";

// The kernel's timer of an established connection by its ports, from /proc/net/tcp: 2 is the
// keep-alive's (0: none runs), due in `hundredths` of a second.
struct SocketTimer {
  unsigned kind = 0;
  unsigned long hundredths = 0;
};

SocketTimer socket_timer(unsigned local_port, unsigned remote_port) {
  std::ifstream file("/proc/thread-self/net/tcp");
  for (std::string line; std::getline(file, line);) {
    SocketTimer timer;
    unsigned local = 0;
    unsigned remote = 0;
    // sl: local:port remote:port state tx:rx timer:when
    const int read = std::sscanf(line.c_str(), "%*d: %*x:%x %*x:%x 01 %*x:%*x %x:%lx", &local,
                                 &remote, &timer.kind, &timer.hundredths);
    if (read == 4 && local == local_port && remote == remote_port) return timer;
  }
  return {};
}

class ServerPeers : public ServerTest {
 protected:
  ServerPeers() { options.send_buffer = 4096; }

  [[nodiscard]] bool empty() {
    return sum(&ShardMetrics::requests_open) + sum(&ShardMetrics::streams_open) +
               sum(&ShardMetrics::closing) ==
           0;
  }
  [[nodiscard]] std::uint64_t open() {
    return sum(&ShardMetrics::requests_open) + sum(&ShardMetrics::streams_open);
  }
};
INSTANTIATE_TEST_SUITE_P(Server, ServerPeers, testing::ValuesIn(ServerTest::kBackends),
                         ServerTest::backend_name);

// Brings a connection into a state; the test then takes the peer away.
struct PeerState {
  const char* name;
  std::function<void(TestClient&)> reach;
};

std::vector<PeerState> peer_states() {
  const std::string half_body = "POST /publish HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\nx";
  return {
      {"Connected", [](TestClient&) {}},
      {"MidHead", [](TestClient& c) { c.send("GET /events HT"); }},
      {"MidBody", [=](TestClient& c) { c.send(half_body); }},
      {"Asked", [](TestClient& c) { c.send(post("stream=a", "x")); }},
      {"Answered", [](TestClient& c) { EXPECT_EQ(c.request(post("stream=a", "x")).status, 204); }},
      {"Refused", [](TestClient& c) { EXPECT_EQ(c.request("nonsense\r\n\r\n").status, 400); }},
      {"AnsweredAndClosed",
       [](TestClient& c) { EXPECT_EQ(c.request("GET /healthz HTTP/1.0\r\n\r\n").status, 200); }},
      {"Subscribing", [](TestClient& c) { c.send(kSubscribe); }},
      {"Streaming", [](TestClient& c) { EXPECT_EQ(c.request(kSubscribe).status, 200); }},
      {"StreamingManyTopics",
       [](TestClient& c) {
         EXPECT_EQ(c.request("GET /events?stream=a&stream=b HTTP/1.1\r\nHost: h\r\n\r\n").status,
                   200);
       }},
  };
}

// Nothing is sent to it, so nothing else would find out.
TEST_P(ServerPeers, TheKernelAsksAfterASilentStreamsPeer) {
  options.heartbeat_s = 0;
  start();
  TestClient client = connect();
  ASSERT_EQ(client.request(kSubscribe).status, 200);
  sockaddr_in here{};
  socklen_t size = sizeof(here);
  ASSERT_EQ(::getsockname(client.fd(), reinterpret_cast<sockaddr*>(&here), &size), 0);
  const auto port = static_cast<unsigned>(std::stoi(address().substr(address().rfind(':') + 1)));
  SocketTimer timer;
  // Until the greeting is acknowledged another timer runs.
  EXPECT_TRUE(eventually([&] {
    timer = socket_timer(port, ntohs(here.sin_port));
    return timer.kind == 2;
  }));
  EXPECT_LE(timer.hundredths, 100 * limits::kKeepAliveIdleS);
}

TEST_P(ServerPeers, LeaveInEveryStateByEveryWay) {
  start();
  TestSubscriber witness = subscribe("/events?stream=w");
  std::size_t published = 0;
  for (const PeerState& state : peer_states()) {
    for (const char* way : {"reset", "close", "half"}) {
      SCOPED_TRACE(std::string(state.name) + " " + way);
      TestClient client = connect();
      EXPECT_TRUE(eventually([&] { return open() == 2; }));
      state.reach(client);
      if (std::string(way) == "reset") client.reset();
      if (std::string(way) == "close") client.close();
      if (std::string(way) == "half") {
        client.half_close();
        client.wait_closed();
      }
      EXPECT_TRUE(eventually([&] { return open() == 1 && sum(&ShardMetrics::closing) == 0; }));
      const std::string word = std::to_string(published++);
      publish("stream=w", word);
      EXPECT_EQ(witness.wait_data(published).back(), word);
    }
  }
  EXPECT_EQ(sum(&ShardMetrics::stale_completions), 0U);
}

TEST_P(ServerPeers, ABlockedStreamIsReset) {
  options.slow_bytes = 64ULL * 1024 * 1024;
  start();
  TestClient publisher = connect();
  for (const bool reset : {true, false}) {
    TestClient client(address(), 4096);
    client.send(kSubscribe);
    EXPECT_EQ(client.response().status, 200);
    std::string requests;
    for (int i = 0; i < 50; ++i) requests += post("stream=a", std::string(10'000, 'x'));
    publisher.send(requests);
    for (int i = 0; i < 50; ++i) EXPECT_EQ(publisher.response().status, 204);
    EXPECT_TRUE(eventually([&] { return sum(&ShardMetrics::streams_blocked) == 1; }));
    if (reset) {
      client.reset();
    } else {
      client.close();
    }
    EXPECT_TRUE(eventually([&] {
      return sum(&ShardMetrics::streams_blocked) + sum(&ShardMetrics::streams_open) == 0;
    }));
  }
}

TEST_P(ServerPeers, ABlockedPublisherIsReset) {
  start();
  TestClient client(address(), 4096);
  while (sum(&ShardMetrics::blocked_sends) + sum(&ShardMetrics::short_sends) == 0) {
    client.send("GET /metrics HTTP/1.1\r\nHost: h\r\n\r\n");
  }
  client.reset();
  EXPECT_TRUE(eventually([&] { return empty(); }));
}

TEST_P(ServerPeers, AHalfClosedPublisherGetsEveryAnswer) {
  start();
  TestSubscriber stream = subscribe("/events?stream=a");
  TestClient client = connect();
  std::string requests;
  for (int i = 0; i < 100; ++i) requests += post("stream=a", std::to_string(i));
  client.send(requests);
  client.half_close();
  for (int i = 0; i < 100; ++i) ASSERT_EQ(client.response().status, 204) << i;
  EXPECT_EQ(client.read_to_end(), "");
  EXPECT_EQ(stream.wait_data(100).back(), "99");
}

TEST_P(ServerPeers, AHalfClosedPublisherThatReadsLateGetsEveryAnswer) {
  start();
  TestClient client(address(), 4096);
  std::size_t asked = 0;
  while (sum(&ShardMetrics::blocked_sends) + sum(&ShardMetrics::short_sends) == 0) {
    client.send("GET /metrics HTTP/1.1\r\nHost: h\r\n\r\n");
    ++asked;
  }
  client.half_close();
  for (std::size_t i = 0; i < asked; ++i) ASSERT_EQ(client.response().status, 200) << i;
  EXPECT_EQ(client.read_to_end(), "");
}

// What a stream's client sends is not read, and harms nothing.
TEST_P(ServerPeers, AStreamsClientThatTalksIsIgnored) {
  start();
  TestSubscriber stream = subscribe("/events?stream=a");
  stream.client().send("POST /publish HTTP/1.1\r\n\r\n" + std::string(2000, 'x'));
  publish("stream=a", "1");
  EXPECT_THAT(stream.wait_data(1), ElementsAre("1"));
}

TEST_P(ServerPeers, ThousandsComeAndGo) {
  start();
  for (int round = 0; round < 10; ++round) {
    std::vector<TestClient> clients;
    for (int i = 0; i < 60; ++i) {
      clients.push_back(connect());
      clients.back().send(i % 2 == 0 ? kSubscribe : post("stream=a", "x"));
    }
    for (std::size_t i = 0; i < clients.size(); ++i) {
      if (i % 3 == 0) clients[i].reset();
    }
  }
  EXPECT_TRUE(eventually([&] { return empty(); }));
  EXPECT_EQ(server().state().admission.streams(), 0U);
  EXPECT_EQ(get("/healthz").status, 200);
}

}  // namespace
}  // namespace tocsin::net
