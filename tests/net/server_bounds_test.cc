// A shard's bounds against clients that hold much and finish nothing: request bodies, and
// connections that are no streams.
#include <stdexcept>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "net/system_check.h"
#include "proto/limits.h"
#include "tests/net/server_fixture.h"

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

  // 200, 503, or 0 for a reset: who writes after the refusal was sent may lose it.
  static int try_probe(TestClient& client) {
    try {
      return client.try_send(kProbe) ? client.response().status : 0;
    } catch (const std::runtime_error&) {
      return 0;
    }
  }
};
INSTANTIATE_TEST_SUITE_P(Server, ServerBounds, testing::ValuesIn(ServerTest::kBackends),
                         ServerTest::backend_name);

TEST_P(ServerBounds, UnfinishedBodiesOfAllConnectionsTogether) {
  start();
  const std::string head = "POST /publish HTTP/1.1\r\nHost: h\r\nContent-Length: " +
                           std::to_string(limits::kMaxRequestBody) + "\r\n\r\n";
  const std::string body(limits::kMaxRequestBody, 'x');
  const std::string_view all_but_one = std::string_view(body).substr(1);
  // Each holds as much as it can; together they are just within the bound.
  std::vector<TestClient> holders;
  for (std::size_t i = 0; i < limits::kMaxBodies / limits::kMaxRequestBody; ++i) {
    holders.push_back(connect());
    holders.back().send(head);
    holders.back().send(all_but_one);
  }
  // Past it by less than a KiB: what is refused is whatever the shard happens to read last.
  constexpr std::size_t kExcess = 1024;
  TestClient late = connect();
  late.send(head + body.substr(0, kExcess));
  EXPECT_TRUE(eventually([&] { return rejections(Rejection::exhausted) > 0; }));

  // Everybody else finishes, and gets an answer to the request itself (one event of 4 MiB).
  std::size_t refused = 0;
  const auto finish = [&](TestClient& client, std::string_view rest) {
    (void)client.try_send(rest);
    const TestResponse response = client.response();
    EXPECT_TRUE(response.status == 503 || response.status == 400) << response.head;
    if (response.status != 503) return;
    ++refused;
    EXPECT_NE(response.body.find("too many request bodies"), std::string::npos) << response.body;
    EXPECT_FALSE(response.header("Retry-After").empty());
  };
  for (TestClient& holder : holders) finish(holder, "x");
  finish(late, std::string_view(body).substr(kExcess));
  EXPECT_GE(refused, 1U);
  EXPECT_LE(refused, 2U);
  EXPECT_EQ(rejections(Rejection::exhausted), refused);
  // Nothing is counted any more.
  EXPECT_EQ(connect().request(post("", std::string_view(body).substr(0, limits::kKiB))).status,
            204);
}

TEST_P(ServerBounds, IdleConnectionsMakeRoomAndThoseThatHaveYetToAskDoNot) {
  constexpr std::size_t kServedEvery = 80;
  const auto descriptors = raise_descriptor_limit();
  if (!descriptors || *descriptors < 2 * limits::kMaxRequestConnections + 500) {
    GTEST_SKIP() << "not enough descriptors";
  }
  start();
  std::vector<TestClient> clients;
  for (std::size_t i = 0; i < limits::kMaxRequestConnections; ++i) clients.push_back(connect());
  EXPECT_TRUE(eventually(
      [&] { return sum(&ShardMetrics::requests_open) == limits::kMaxRequestConnections; }));
  // All have yet to ask: the one too many is told.
  TestClient refused = connect();
  EXPECT_EQ(refused.response().status, 503);
  EXPECT_EQ(rejections(Rejection::exhausted), 1U);
  EXPECT_EQ(sum(&ShardMetrics::requests_open), limits::kMaxRequestConnections);

  // Between requests.
  for (std::size_t i = 0; i < clients.size(); i += kServedEvery) {
    ASSERT_EQ(clients[i].request(kProbe).status, 200);
  }
  TestClient newcomer = connect();
  EXPECT_TRUE(eventually([&] {
    if (try_probe(newcomer) == 200) return true;
    newcomer = connect();
    return false;
  }));
  EXPECT_LE(sum(&ShardMetrics::requests_open), limits::kMaxRequestConnections);
  for (std::size_t i = 1; i < clients.size(); i += kServedEvery) {
    ASSERT_EQ(clients[i].request(kProbe).status, 200) << "ended before it had asked";
  }
}

}  // namespace
}  // namespace tocsin::net
