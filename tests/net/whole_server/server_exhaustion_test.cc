// No descriptor is left: streams stay, publishers and probes still come in, and it goes on by
// itself.
#include <optional>
#include <vector>

#include <gtest/gtest.h>

#include "tests/net/support/descriptor_limit.h"
#include "tests/net/support/server_fixture.h"
#include "tests/net/support/socket_pair.h"

namespace tocsin::net {
namespace {

constexpr int kClients = 100;
const std::string kSubscribe = "GET /events HTTP/1.1\r\nHost: h\r\n\r\n";

class ServerExhaustion : public ServerTest {
 protected:
  // A server whose shard runs out of descriptors soon, while we have what we need. io_uring notes
  // the limit where an accept is asked for, hence twice.
  void start_limited() {
    const Fd lowest{::dup(0)};
    const auto most = static_cast<rlim_t>(lowest.get()) + 20;
    {
      const DescriptorLimit limit(most);
      start();
      EXPECT_TRUE(eventually([&] { return sum(&ShardMetrics::loops) > 0; }));
    }
    open_sockets();
    limit_.emplace(most);
  }
  // Opened now, connected later: connecting needs no descriptor.
  void open_sockets() {
    for (int i = 0; i < kClients; ++i) {
      sockets_.emplace_back(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    }
  }
  TestClient connect_one() {
    if (sockets_.empty()) throw std::runtime_error("the test has used all its sockets");
    Fd fd = std::move(sockets_.back());
    sockets_.pop_back();
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    to.sin_port = htons(static_cast<std::uint16_t>(std::stoi(address().substr(10))));
    if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&to), sizeof(to)) != 0) {
      throw std::runtime_error("connect");
    }
    return TestClient::adopt(fd.release());
  }
  // 200, 503, or 0 for a reset: who writes after the refusal was sent may lose it.
  static int try_subscribe(TestClient& client) {
    if (!client.try_send(kSubscribe)) return 0;
    try {
      const TestResponse response = client.response();
      if (response.status == 503) {
        EXPECT_EQ(response.header("Content-Type"), "application/problem+json");
        EXPECT_FALSE(response.header("Retry-After").empty());
        EXPECT_TRUE(response.body.ends_with("another connection\"}")) << response.body;
        EXPECT_EQ(client.read_to_end(), "") << "more than its Content-Length";
      }
      return response.status;
    } catch (const std::runtime_error&) {
      return 0;
    }
  }

  // At once, or when it asks again: of the few descriptors the last may just be in use for another.
  bool answers(const std::string& request, int status) {
    return eventually([&] {
      try {
        return connect_one().request(request).status == status;
      } catch (const std::runtime_error&) {
        return false;
      }
    });
  }

  std::vector<Fd> sockets_;
  std::optional<DescriptorLimit> limit_;
};
INSTANTIATE_TEST_SUITE_P(Server, ServerExhaustion, testing::ValuesIn(ServerTest::kBackends),
                         ServerTest::backend_name);

TEST_P(ServerExhaustion, NoDescriptorsLeft) {
#ifdef __SANITIZE_THREAD__
  GTEST_SKIP() << "one descriptor table for all threads: see net/server/server.cc";
#endif
  options.shards = 1;
  start_limited();
  TestClient publisher = connect_one();
  EXPECT_EQ(publisher.request(post("", "before")).status, 204);
  std::vector<TestClient> streams;
  int status = 200;
  while (status == 200) {
    streams.push_back(connect_one());
    status = try_subscribe(streams.back());
    ASSERT_LT(streams.size(), 30U) << "the limit is not met";
  }
  streams.pop_back();
  ASSERT_GT(streams.size(), 1U);
  EXPECT_GE(rejections(Rejection::exhausted), 1U);
  // A few descriptors are not for streams. Those who say nothing do not hold them.
  std::vector<TestClient> silent;
  for (int i = 0; i < 20; ++i) silent.push_back(connect_one());
  EXPECT_TRUE(eventually([&] { return sum(&ShardMetrics::accept_pauses) > 0; }));
  for (int i = 0; i < 5; ++i) {
    EXPECT_TRUE(answers("GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n", 200));
  }
  EXPECT_GE(sum(&ShardMetrics::made_room), 10U);

  // Those who are there are served.
  ASSERT_TRUE(answers(post("", "still here"), 204));
  for (TestClient& stream : streams) {
    EXPECT_FALSE(stream.read_until("data: still here\nid: ").empty());
  }
  // Room again, below the limit: accepting goes on by itself.
  streams.pop_back();
  EXPECT_TRUE(eventually([&] {
    TestClient client = connect_one();
    return try_subscribe(client) == 200;
  }));
  limit_.reset();
  EXPECT_TRUE(eventually([&] {
    TestClient client = connect();
    return try_subscribe(client) == 200;
  }));
}

}  // namespace
}  // namespace tocsin::net
