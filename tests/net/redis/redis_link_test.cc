// A connection to a server that does not do what Redis does.
#include "net/redis/redis_link.h"

#include <cstdint>
#include <stdexcept>

#include <gtest/gtest.h>

#include "net/transport/waiter.h"
#include "tests/net/support/scripted_server.h"
#include "tests/net/support/test_client.h"

namespace tocsin::net {
namespace {

RedisLink connect(const ScriptedServer& server) {
  const RedisUrl::Server address{.host = "127.0.0.1",
                                 .port = static_cast<std::uint16_t>(server.port())};
  auto link = RedisLink::connect(address, nullptr, system_waiter(), kNever);
  if (!link) throw std::runtime_error(link.error().text);
  return *std::move(link);
}

// RESP2 says nothing by itself. What nobody takes would be kept without a bound, and what comes
// behind a reply would be taken for the next one.
TEST(RedisLinkTest, WhatNobodyAskedForEndsIt) {
  ScriptedServer server({[](ScriptedServer::Connection& connection) {
                           connection.send("+hello\r\n");
                           connection.wait_for_close();
                         },
                         [](ScriptedServer::Connection& connection) {
                           connection.wait_for_bytes();
                           connection.send("+PONG\r\n+PONG\r\n");
                           connection.wait_for_close();
                         }});
  {
    RedisLink link = connect(server);
    EXPECT_TRUE(eventually([&] { return !link.move(system_waiter().now()); }));
  }
  RedisLink link = connect(server);
  ASSERT_TRUE(link.ask({"PING"}, system_waiter(), kNever));
  EXPECT_TRUE(eventually([&] { return link.is_broken() || !link.move(system_waiter().now()); }));
}

}  // namespace
}  // namespace tocsin::net
