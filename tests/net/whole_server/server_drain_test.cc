// Ending: the drain, the stop, and what probes see of it.
#include <array>
#include <chrono>
#include <deque>
#include <future>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "net/server/handed_descriptors.h"
#include "net/server/service_notify.h"
#include "tests/net/support/fake_manager.h"
#include "tests/net/support/server_fixture.h"
#include "tests/net/support/socket_pair.h"

namespace tocsin::net {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;
using testing::HasSubstr;

class ServerDrain : public ServerTest {
 protected:
  // Until every shard has begun to.
  void drain() {
    server().drain();
    for (int i = 0; i < 2; ++i) EXPECT_TRUE(eventually([&] { return server().all_turned(); }));
  }
};
INSTANTIATE_TEST_SUITE_P(Server, ServerDrain, testing::ValuesIn(ServerTest::kBackends),
                         ServerTest::backend_name);

TEST_P(ServerDrain, ProbesTellHowItStands) {
  start();
  EXPECT_EQ(get("/healthz").body, "ok\n");
  EXPECT_EQ(get("/readyz").status, 200);
  options.drain_timeout_s = 60;
  server().reload(options);
  TestClient probe = connect();
  EXPECT_EQ(probe.request("GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n").status, 200);
  // A request that is under way keeps its connection; its answer is the last.
  probe.send("GET /readyz HTTP/1.1\r\nHost: h\r\nX");
  EXPECT_TRUE(eventually([&] { return sum(&ShardMetrics::requests_open) == 1; }));
  drain();
  probe.send(": y\r\n\r\n");
  const TestResponse response = probe.response();
  EXPECT_EQ(response.status, 503);
  EXPECT_EQ(response.header("Connection"), "close");
}

TEST_P(ServerDrain, StreamsEndSpreadOverItsTime) {
  options.drain_timeout_s = 2;
  start();
  std::deque<TestSubscriber> streams;
  for (int i = 0; i < 40; ++i) streams.emplace_back(address());
  const auto begin = steady_clock::now();
  server().drain();
  std::size_t open_in_the_middle = 0;
  EXPECT_TRUE(eventually([&] {
    if (steady_clock::now() - begin > milliseconds(700) && open_in_the_middle == 0) {
      open_in_the_middle = sum(&ShardMetrics::streams_open);
    }
    return server().ended();
  }));
  EXPECT_GE(steady_clock::now() - begin, milliseconds(1500)) << "all at once";
  EXPECT_GT(open_in_the_middle, 0U);
  EXPECT_LT(open_in_the_middle, 40U);
  for (TestSubscriber& stream : streams) stream.wait_end();
  server().wait();
}

TEST_P(ServerDrain, AnIdleServerEndsAtOnce) {
  options.drain_timeout_s = 60;
  start();
  server().drain();
  EXPECT_TRUE(eventually([&] { return server().ended(); }));
}

TEST_P(ServerDrain, NoTimeIsAnEndAtOnce) {
  options.drain_timeout_s = 0;
  start();
  TestSubscriber stream = subscribe();
  TestClient idle = connect();
  EXPECT_TRUE(eventually([&] { return sum(&ShardMetrics::requests_open) == 1; }));
  server().drain();
  stream.wait_end();
  idle.wait_closed();
  EXPECT_TRUE(eventually([&] { return server().ended(); }));
}

// Who is asking is not cut off in the middle; the drain comes back to it at its end.
TEST_P(ServerDrain, ARequestUnderWayIsFinished) {
  options.drain_timeout_s = 20;
  options.shards = 1;
  start();
  TestClient asking = connect();  // the first slot: the drain begins there
  asking.send("GET /healthz HTTP/1.1\r\nHost: ");
  EXPECT_TRUE(eventually([&] { return sum(&ShardMetrics::requests_open) == 1; }));
  std::deque<TestSubscriber> streams;
  for (int i = 0; i < 200; ++i) streams.emplace_back(address());
  server().drain();
  EXPECT_TRUE(eventually([&] { return sum(&ShardMetrics::streams_open) < 200; }));
  asking.send("h\r\n\r\n");
  EXPECT_EQ(asking.response().body, "ok\n");
  EXPECT_EQ(asking.read_to_end(), "");
}

// Events that were published before a stream ends are on the wire before its end.
TEST_P(ServerDrain, NothingPublishedIsLostByIt) {
  options.drain_timeout_s = 1;
  start();
  TestSubscriber stream = subscribe("/events?stream=a");
  TestClient publisher = connect();
  EXPECT_EQ(publisher.request(post("stream=a", "last")).status, 204);
  server().drain();
  stream.wait_end();
  ASSERT_EQ(stream.events().size(), 1U);
  EXPECT_EQ(stream.events()[0].data, "last");
}

// A 503 is final for some clients, and so is an end without an answer.
TEST_P(ServerDrain, AStreamThatIsAskedForDuringItOpensAndEnds) {
  options.drain_timeout_s = 2;
  start();
  TestClient silent = connect();
  TestClient asking = connect();
  asking.send("GET /events HTTP/1.1\r\nHost: ");
  EXPECT_TRUE(eventually([&] { return sum(&ShardMetrics::requests_open) == 2; }));
  drain();
  asking.send("h\r\n\r\n");
  silent.send("GET /events HTTP/1.1\r\nHost: h\r\n\r\n");
  for (TestClient* client : {&asking, &silent}) {
    EXPECT_THAT(client->read_until("\r\n\r\n"), testing::StartsWith("HTTP/1.1 200 "));
    client->wait_closed();
  }
  EXPECT_TRUE(eventually([&] { return server().ended(); }));
}

// Its publisher knows then that nothing was published.
TEST_P(ServerDrain, WhoIsInTheMiddleOfARequestAtItsEndIsTold) {
  options.drain_timeout_s = 1;
  start();
  TestClient client = connect();
  client.send("POST /publish?stream=a HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nab");
  EXPECT_TRUE(eventually([&] { return sum(&ShardMetrics::requests_open) == 1; }));
  server().drain();
  const TestResponse response = client.response();
  EXPECT_EQ(response.status, 503);
  EXPECT_THAT(response.body, HasSubstr("shutting down"));
  EXPECT_TRUE(eventually([&] { return server().ended(); }));
  EXPECT_EQ(rejections(Rejection::draining), 1U);
}

TEST_P(ServerDrain, WhoConnectsDuringItWaitsUntilItsEnd) {
  options.drain_timeout_s = 60;
  start();
  TestSubscriber stream = subscribe();
  drain();
  TestClient late = connect();
  late.send("GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n");
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(eventually([&] { return server().all_turned(); }));
  EXPECT_EQ(sum(&ShardMetrics::accepted), 1U);
  server().stop();
  server().wait();
  late.wait_closed();
  EXPECT_EQ(late.unread(), "");
}

// As a service manager does it that keeps the sockets from one process to the next.
TEST_P(ServerDrain, WhoConnectsDuringItIsServedByTheNextProcess) {
  const FakeManager manager(FakeManager::abstract_name());
  ServiceNotify notify(manager.address(), std::nullopt);
  options.drain_timeout_s = 60;
  for (const std::size_t shards : {2U, 1U}) {
    options.shards = 2;
    auto first = Server::start(options, {}, nullptr, nullptr, {}, &notify);
    ASSERT_TRUE(first) << first.error();
    std::vector<Fd> kept;
    EXPECT_THAT(manager.receive(kept), HasSubstr("FDSTORE=1"));
    options.listen = (*first)->addresses();
    TestSubscriber stream(options.listen[0]);
    (*first)->drain();
    for (int i = 0; i < 2; ++i) EXPECT_TRUE(eventually([&] { return (*first)->all_turned(); }));
    std::deque<TestClient> late;
    for (int i = 0; i < 40; ++i) {
      late.emplace_back(options.listen[0]).send("GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n");
    }
    (*first)->stop();
    (*first)->wait();
    first->reset();
    late.emplace_back(options.listen[0]).send("GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n");
    std::vector<HandedDescriptor> handed;
    for (Fd& fd : kept) handed.push_back({fd.release(), "tocsin-" + options.listen[0]});
    options.shards = static_cast<std::uint32_t>(shards);
    auto second = Server::start(options, {}, nullptr, nullptr, std::move(handed), nullptr);
    ASSERT_TRUE(second) << second.error();
    EXPECT_EQ((*second)->addresses(), options.listen);
    for (TestClient& client : late) EXPECT_EQ(client.response().body, "ok\n");
    options.listen = {"127.0.0.1:0"};
  }
}

TEST_P(ServerDrain, AStopEndsItAtOnce) {
  options.drain_timeout_s = 3600;
  start();
  std::deque<TestSubscriber> streams;
  for (int i = 0; i < 10; ++i) streams.emplace_back(address());
  drain();
  server().stop();
  for (TestSubscriber& stream : streams) stream.wait_end();
  EXPECT_TRUE(eventually([&] { return server().ended(); }));
}

TEST_P(ServerDrain, EveryShardTurnsItsLoop) {
  start();
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(eventually([&] { return server().all_turned(); })) << "an idle one too";
  }
}

TEST_P(ServerDrain, NoShardIsJudgedBeforeItWasWoken) {
  for (int i = 0; i < 20; ++i) {
    start();
    EXPECT_TRUE(server().all_turned());
    stop();
  }
  start();
}

TEST_P(ServerDrain, AShardThatStandsStillIsFound) {
  std::promise<void> entered;
  std::promise<void> go_on;
  application.routes.push_back({.path = "/stuck", .handle = [&](Server&, const RouteRequest&) {
                                  entered.set_value();
                                  go_on.get_future().wait();
                                  return Answer(Response{.status = 204});
                                }});
  start();
  TestClient client = connect();
  client.send("GET /stuck HTTP/1.1\r\nHost: h\r\n\r\n");
  entered.get_future().wait();
  EXPECT_TRUE(server().all_turned()) << "it was never woken";
  const auto turns = [&](std::size_t shard) {
    return server().state().metrics[shard]->loops.get();
  };
  const std::array before{turns(0), turns(1)};
  EXPECT_TRUE(eventually([&] { return turns(0) != before[0] || turns(1) != before[1]; }))
      << "the other one was woken";
  for (int i = 0; i < 3; ++i) EXPECT_FALSE(server().all_turned());
  go_on.set_value();
  EXPECT_EQ(client.response().status, 204);
  EXPECT_TRUE(eventually([&] { return server().all_turned(); }));
}

// Two hubs on one port would each get half of the clients and none of the other's events.
TEST_P(ServerDrain, APortThatIsTakenIsAnError) {
  start();
  ServerOptions second = options;
  second.listen = {address()};
  const auto started = Server::start(second);
  ASSERT_FALSE(started.has_value());
  EXPECT_THAT(started.error(), HasSubstr(address()));
  EXPECT_THAT(started.error(), HasSubstr("in use"));
  EXPECT_EQ(get("/healthz").status, 200);
}

TEST_P(ServerDrain, APortNamedTwiceIsAnError) {
  options.listen = {"127.0.0.1:1", "127.0.0.1:1"};
  const auto started = Server::start(options);
  ASSERT_FALSE(started.has_value());
  EXPECT_THAT(started.error(), HasSubstr("127.0.0.1:1 twice"));
}

TEST_P(ServerDrain, AnAddressThatIsNotOursIsAnError) {
  options.listen = {"127.0.0.1:0", "192.0.2.1:1"};
  const auto started = Server::start(options);
  ASSERT_FALSE(started.has_value());
  EXPECT_THAT(started.error(), HasSubstr("192.0.2.1:1"));
}

TEST_P(ServerDrain, ListensOnSeveralAddresses) {
  options.listen = {"127.0.0.1:0", "[::1]:0"};
  start();
  ASSERT_EQ(server().addresses().size(), 2U);
  EXPECT_THAT(server().addresses()[1], testing::StartsWith("[::1]:"));
  EXPECT_EQ(get("/healthz").status, 200);
}

// Options that streams notice while they are open.
TEST_P(ServerDrain, AReloadReachesOpenStreams) {
  options.heartbeat_s = 0;
  start();
  TestSubscriber stream = subscribe("/events?stream=a");
  const auto comments = stream.parser().comments();
  options.heartbeat_s = 1;
  options.history_count = 1;
  server().reload(options);
  stream.wait_until([&] { return stream.parser().comments() > comments; });
  publish("stream=a", "1");
  publish("stream=a", "2");
  EXPECT_EQ(stream.wait_data(2)[1], "2");
  TestSubscriber late = subscribe("/events?stream=a&last_event_id=earliest");
  EXPECT_EQ(late.wait_data(1)[0], "2") << "the new bound";
}

}  // namespace
}  // namespace tocsin::net
