// The second write: Varnish keeps what it read with a request's head until it reads more.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/net/support/server_fixture.h"

namespace tocsin::net {
namespace {

using testing::HasSubstr;

// Reads as it does, and hands on to nobody.
struct StandIn {
  TestClient client;
  std::string held{};       // came with the head
  std::string handed_on{};  // what its client has

  // Until it has read for the second time.
  void run(const std::string& target) {
    client.send("GET " + target + " HTTP/1.1\r\nHost: h\r\nX-Varnish: 32770\r\n\r\n");
    while (held.find("\r\n\r\n") == std::string::npos) {
      ASSERT_TRUE(client.receive());
      held = client.unread();
    }
    ASSERT_TRUE(client.receive());  // throws if nothing comes
    handed_on = client.unread();
  }
};

class ServerVarnish : public ServerTest {};
INSTANTIATE_TEST_SUITE_P(Server, ServerVarnish, testing::ValuesIn(ServerTest::kBackends),
                         ServerTest::backend_name);

TEST_P(ServerVarnish, TheFirstBytesArriveWithoutAnEventOrAHeartbeat) {
  options.heartbeat_s = 0;
  start();
  publish("stream=a", "replayed");
  for (const std::string target : {"/events?stream=a", "/sse?stream=a&lastEventId=earliest",
                                   "/events?stream=a&stream=b&lastEventId=earliest"}) {
    StandIn varnish{.client = connect()};
    varnish.run(target);
    EXPECT_THAT(varnish.held, HasSubstr("\n: ok\n"));
    EXPECT_EQ(varnish.held.contains("data: replayed\n"), target.contains("earliest"));
    EXPECT_THAT(varnish.handed_on.substr(varnish.held.size()), HasSubstr(": keepalive\n"));
  }
}

TEST_P(ServerVarnish, AReplayThatFillsTheSocketIsFollowedByItAtItsEnd) {
  options.heartbeat_s = 0;
  options.send_buffer = 4096;
  start();
  std::string last;
  for (int i = 0; i < 200; ++i) last = publish("stream=a", std::string(5000, 'x'));
  TestSubscriber stream(address(), "/events?stream=a&lastEventId=earliest", "X-Varnish: 1\r\n",
                        2048);
  stream.wait_until([&] { return stream.parser().comments() == 2; });
  EXPECT_EQ(stream.events().size(), 200U);
  EXPECT_TRUE(stream.bytes().ends_with(": keepalive\n") ||
              stream.bytes().ends_with(": keepalive\n\r\n"));
}

TEST_P(ServerVarnish, StreamsOfRoutesAreFollowedByItToo) {
  options.heartbeat_s = 0;
  application.routes.push_back({.path = "/own", .handle = [](Server&, const RouteRequest&) {
                                  return StreamResponse{.first = "data: first\n\n"};
                                }});
  start();
  StandIn varnish{.client = connect()};
  varnish.run("/own");
  EXPECT_THAT(varnish.held, HasSubstr("data: first\n"));
}

}  // namespace
}  // namespace tocsin::net
