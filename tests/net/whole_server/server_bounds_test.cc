// The bounds against clients that hold much and finish nothing: request bodies, and
// connections that are no streams.
#include <poll.h>

#include <array>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "net/server/system_check.h"
#include "proto/limits.h"
#include "tests/net/support/server_fixture.h"

namespace tocsin::net {
namespace {

const std::string kProbe = "GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n";

class ServerBounds : public ServerTest {
 protected:
  ServerBounds() {
    options.shards = 1;
    options.request_timeout_s = 600;  // nobody is ended for being slow
    options.keep_alive_s = 600;
  }
  [[nodiscard]] std::uint64_t taken() { return server().state().request_memory.taken(); }
  // An answer, or the end.
  static bool has_something(const TestClient& client) {
    pollfd one{.fd = client.fd(), .events = POLLIN, .revents = 0};
    return ::poll(&one, 1, 0) == 1;
  }
};
INSTANTIATE_TEST_SUITE_P(Server, ServerBounds, testing::ValuesIn(ServerTest::kBackends),
                         ServerTest::backend_name);

// Of the whole hub: with one shard and with two the bound is the same.
TEST_P(ServerBounds, UnfinishedBodiesOfAllConnectionsTogether) {
  for (const std::uint32_t shards : {1U, 2U}) {
    SCOPED_TRACE(shards);
    options.shards = shards;
    start();
    const std::string head = "POST /publish HTTP/1.1\r\nHost: h\r\nContent-Length: " +
                             std::to_string(limits::kMaxRequestBody) + "\r\n\r\n";
    const std::string body(limits::kMaxRequestBody, 'x');
    const std::string_view all_but_one = std::string_view(body).substr(1);
    // Each holds as much as it can; together they are just within the bound, with no room for one
    // more.
    std::vector<TestClient> holders;
    for (std::size_t i = 1; i < limits::kMaxRequestMemory / limits::kMaxRequestBody; ++i) {
      holders.push_back(connect());
      holders.back().send(head);
      holders.back().send(all_but_one);
    }
    EXPECT_TRUE(eventually(
        [&] { return taken() >= limits::kMaxRequestMemory - limits::kMaxRequestBody; }));
    EXPECT_EQ(rejections(Rejection::request_memory), 0U);
    for (int i = 0; i < 20; ++i) EXPECT_EQ(get("/healthz").status, 200);  // what is left is read
    // Past it by a few bytes of the allocator's: one that has stood still has to go.
    constexpr std::size_t kExcess = limits::kMaxRequestBody - 1;
    TestClient late = connect();
    late.send(head + body.substr(0, kExcess));
    EXPECT_TRUE(eventually([&] { return rejections(Rejection::request_memory) > 0; }));

    // Everybody else finishes, and gets an answer to the request itself (one event of 4 MiB).
    std::size_t refused = 0;
    for (TestClient& holder : holders) {
      (void)holder.try_send("x");
      const TestResponse response = holder.response();
      EXPECT_TRUE(response.status == 503 || response.status == 413) << response.head;
      if (response.status != 503) continue;
      ++refused;
      EXPECT_NE(response.body.find("too many requests at once"), std::string::npos)
          << response.body;
      EXPECT_FALSE(response.header("Retry-After").empty());
    }
    EXPECT_EQ(late.request(std::string_view(body).substr(kExcess)).status, 413);
    EXPECT_EQ(refused, 1U);
    EXPECT_EQ(rejections(Rejection::request_memory), refused);
    // Nothing is counted any more.
    EXPECT_EQ(connect().request(post("", std::string_view(body).substr(0, limits::kKiB))).status,
              204);
    stop();
  }
}

// Thousands of connections from one address that say nothing, or half a head, or half a body.
TEST_P(ServerBounds, ConnectionsThatStandStillLockNobodyOut) {
  const auto descriptors = raise_descriptor_limit();
  if (!descriptors || *descriptors < 2 * limits::kMaxRequestConnections + 500) {
    GTEST_SKIP() << "not enough descriptors";
  }
  const std::string half_a_head = "GET /events HTTP/1.1\r\nHo";
  const std::string half_a_body = "POST /publish HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nx";
  start();
  const auto full = [&] {
    return sum(&ShardMetrics::requests_open) == limits::kMaxRequestConnections;
  };
  TestSubscriber stream = subscribe("/events?stream=a");
  std::vector<TestClient> clients;
  for (std::size_t i = 0; i < limits::kMaxRequestConnections; ++i) {
    clients.push_back(connect());
    if (i % 3 == 1) clients.back().send(half_a_head);
    if (i % 3 == 2) clients.back().send(half_a_body);
  }
  EXPECT_TRUE(eventually(full));
  // Whoever asks at once is answered at once, as often as they come.
  for (int i = 0; i < 50; ++i) {
    TestClient probe = connect();
    ASSERT_EQ(probe.request(kProbe).status, 200) << i;
    clients.push_back(std::move(probe));
  }
  EXPECT_TRUE(eventually(full));
  EXPECT_EQ(sum(&ShardMetrics::made_room), 50U);
  EXPECT_EQ(rejections(Rejection::exhausted), 0U);
  // Those who had to go were told, if they were in the middle of something.
  std::size_t ended = 0;
  std::array<TestClient*, 3> going_on{};
  for (std::size_t i = 0; i < clients.size(); ++i) {
    if (!has_something(clients[i])) {
      if (i < limits::kMaxRequestConnections) going_on[i % 3] = &clients[i];
      continue;
    }
    ++ended;
    ASSERT_LT(i, limits::kMaxRequestConnections) << "a probe that was answered";
    if (i % 3 == 0) {
      EXPECT_EQ(clients[i].read_to_end(), "") << i;
    } else {
      EXPECT_EQ(clients[i].response().status, 503) << i;
    }
  }
  EXPECT_EQ(ended, 50U);
  // The others go on where they were.
  EXPECT_EQ(going_on[0]->request(kProbe).status, 200);
  EXPECT_EQ(going_on[1]->request("st: h\r\n\r\n").status, 200);
  EXPECT_EQ(going_on[2]->request("12345678").status, 204);
  // No stream makes room, however old.
  publish("stream=a", "x");
  EXPECT_EQ(stream.wait_data(1).front(), "x");
}

// The order is that of the last answer, not of the accept.
TEST_P(ServerBounds, WhoWasServedLastMakesRoomLast) {
  const auto descriptors = raise_descriptor_limit();
  if (!descriptors || *descriptors < 2 * limits::kMaxRequestConnections + 500) {
    GTEST_SKIP() << "not enough descriptors";
  }
  start();
  std::vector<TestClient> clients;
  for (std::size_t i = 0; i < limits::kMaxRequestConnections; ++i) clients.push_back(connect());
  EXPECT_TRUE(eventually(
      [&] { return sum(&ShardMetrics::requests_open) == limits::kMaxRequestConnections; }));
  for (std::size_t i = 0; i < 30; i += 2) ASSERT_EQ(clients[i].request(kProbe).status, 200);
  std::vector<TestClient> newcomers;
  for (int i = 0; i < 15; ++i) {
    newcomers.push_back(connect());
    ASSERT_EQ(newcomers.back().request(kProbe).status, 200);
  }
  for (std::size_t i = 0; i < 30; ++i) {
    if (i % 2 == 0) {
      EXPECT_EQ(clients[i].request(kProbe).status, 200) << i;
    } else {
      EXPECT_EQ(clients[i].read_to_end(), "") << i;
    }
  }
}

}  // namespace
}  // namespace tocsin::net
