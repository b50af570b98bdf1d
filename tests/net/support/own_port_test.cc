#include "tests/net/support/own_port.h"

#include <cerrno>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/net/support/scripted_server.h"
#include "tests/net/support/socket_pair.h"

namespace tocsin::net {
namespace {

// 0 or errno.
int connect_to(const OwnPort& port) {
  const Fd client{socket(port.where().storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  return connect(client.get(), port.raw(), port.where().size) == 0 ? 0 : errno;
}

TEST(OwnPort, IsClosedAndNobodyElses) {
  const OwnPort port;
  EXPECT_EQ(connect_to(port), ECONNREFUSED);
  const Fd other{socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  EXPECT_NE(bind(other.get(), port.raw(), port.where().size), 0);
  EXPECT_EQ(errno, EADDRINUSE);
}

TEST(OwnPort, OpensAndClosesWithAListener) {
  const OwnPort port;
  for (int i = 0; i < 2; ++i) {
    {
      const Fd listener{port.listen(1)};
      EXPECT_EQ(connect_to(port), 0);
    }
    EXPECT_EQ(connect_to(port), ECONNREFUSED);
  }
}

TEST(OwnPort, StaysAServersWhenItHasPlayedAll) {
  ScriptedServer server({[](ScriptedServer::Connection&) {}});
  const SocketAddress where = parse_literal("127.0.0.1", static_cast<std::uint16_t>(server.port()))
                                  .value()
                                  .front();
  const auto* raw = reinterpret_cast<const sockaddr*>(&where.storage);
  int refused = 0;
  while (refused == 0) {
    const Fd client{socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    if (connect(client.get(), raw, where.size) != 0) refused = errno;
  }
  EXPECT_THAT(refused, testing::AnyOf(ECONNREFUSED, ECONNRESET));
  const Fd other{socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  EXPECT_NE(bind(other.get(), raw, where.size), 0);
}

}  // namespace
}  // namespace tocsin::net
