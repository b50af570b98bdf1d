// Who owns an address: one process, from the first call on and until its last listener closes.
#include "net/io/listener.h"

#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <barrier>
#include <chrono>
#include <future>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/net/support/own_port.h"
#include "tests/net/support/socket_pair.h"

namespace tocsin::net {
namespace {

using testing::Each;
using testing::Gt;
using testing::HasSubstr;

ListenAddress address_of(const std::string& text) {
  return parse_listen_address(text).value();
}

std::expected<Listening, std::string> listen(const ListenAddress& address, ListenRole role) {
  return listen_on(address, role, {.user_timeout_ms = 30'000}, std::chrono::milliseconds(0));
}

// The same port at another host.
std::string at(const std::string& host, const ListenAddress& address) {
  const std::string text = format_address(reinterpret_cast<const sockaddr*>(&address.storage));
  return host + text.substr(text.rfind(':'));
}

Fd connect_to(const ListenAddress& address) {
  Fd client(::socket(address.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const auto* to = reinterpret_cast<const sockaddr*>(&address.storage);
  EXPECT_EQ(::connect(client.get(), to, address.length), 0);
  return client;
}

TEST(Listener, TheFirstOneKeepsOthersOut) {
  for (const char* text : {"127.0.0.1:0", "[::1]:0"}) {
    const auto first = listen(address_of(text), ListenRole::first);
    ASSERT_TRUE(first) << first.error();
    const Fd own(first->fd);
    const auto second = listen(first->address, ListenRole::first);
    ASSERT_FALSE(second) << text;
    EXPECT_THAT(second.error(), HasSubstr("in use"));
    EXPECT_THAT(second.error(), HasSubstr(at("", first->address)));
  }
}

TEST(Listener, AWildcardIsTheSamePort) {
  const auto one = listen(address_of("127.0.0.1:0"), ListenRole::first);
  ASSERT_TRUE(one) << one.error();
  const Fd own(one->fd);
  EXPECT_FALSE(listen(address_of(at("0.0.0.0", one->address)), ListenRole::first));
  const auto all = listen(address_of("0.0.0.0:0"), ListenRole::first);
  ASSERT_TRUE(all) << all.error();
  const Fd wildcard(all->fd);
  EXPECT_FALSE(listen(address_of(at("127.0.0.1", all->address)), ListenRole::first));
}

TEST(Listener, OthersBesideItShareItsConnections) {
  const auto first = listen(address_of("127.0.0.1:0"), ListenRole::first);
  ASSERT_TRUE(first) << first.error();
  std::vector<Fd> listeners;
  listeners.emplace_back(first->fd);
  for (int i = 0; i < 2; ++i) {
    const auto next = listen(first->address, ListenRole::beside);
    ASSERT_TRUE(next) << next.error();
    listeners.emplace_back(next->fd);
  }
  std::array<int, 3> taken{};
  std::vector<Fd> open;
  for (int i = 0; i < 300; ++i) {
    open.push_back(connect_to(first->address));
    std::array<pollfd, 3> ready{};
    for (std::size_t k = 0; k < 3; ++k) ready[k] = {listeners[k].get(), POLLIN, 0};
    ASSERT_EQ(::poll(ready.data(), ready.size(), 10'000), 1);
    for (std::size_t k = 0; k < 3; ++k) {
      if (ready[k].revents == 0) continue;
      open.emplace_back(::accept(listeners[k].get(), nullptr, nullptr));
      ++taken[k];
    }
  }
  EXPECT_THAT(taken, Each(Gt(30))) << "a third each, by hash";
}

TEST(Listener, TheAddressIsHeldUntilTheLastOneCloses) {
  const OwnPort port;
  const auto first = listen(address_of(port.address()), ListenRole::first);
  ASSERT_TRUE(first) << first.error();
  Fd one(first->fd);
  const auto second = listen(first->address, ListenRole::beside);
  ASSERT_TRUE(second) << second.error();
  Fd two(second->fd);
  one.reset();
  EXPECT_FALSE(listen(first->address, ListenRole::first));
  // Its connections may outlive it: they, and those in TIME_WAIT, keep no successor out.
  const Fd client = connect_to(first->address);
  const Fd accepted(::accept(two.get(), nullptr, nullptr));
  two.reset();
  const auto successor = listen(first->address, ListenRole::first);
  ASSERT_TRUE(successor) << successor.error();
  const Fd its(successor->fd);
}

TEST(Listener, AnAddressThatIsGivenUpMeanwhileIsWaitedFor) {
  const OwnPort port;
  const auto before = listen(address_of(port.address()), ListenRole::first);
  ASSERT_TRUE(before) << before.error();
  Fd its(before->fd);
  auto successor = std::async(std::launch::async, [&] {
    return listen_on(before->address, ListenRole::first, {.user_timeout_ms = 30'000},
                     std::chrono::minutes(1));
  });
  EXPECT_EQ(successor.wait_for(std::chrono::milliseconds(50)), std::future_status::timeout);
  its.reset();
  const auto after = successor.get();
  ASSERT_TRUE(after) << after.error();
  const Fd own(after->fd);
}

// All at the same moment: one gets it, and its other listeners too, whatever the rest tries.
TEST(Listener, OfManyWhoWantItOneGetsIt) {
  constexpr int kRounds = 50;
  constexpr int kThreads = 8;
  for (int round = 0; round < kRounds; ++round) {
    const OwnPort port;
    const ListenAddress address = address_of(port.address());
    std::barrier begin(kThreads);
    std::barrier end(kThreads);
    std::vector<std::future<bool>> threads;
    for (int i = 0; i < kThreads; ++i) {
      threads.push_back(std::async(std::launch::async, [&] {
        begin.arrive_and_wait();
        const auto first = listen(address, ListenRole::first);
        const Fd own(first ? first->fd : -1);
        bool whole = first.has_value();
        if (whole) {
          const auto beside = listen(address, ListenRole::beside);
          const Fd more(beside ? beside->fd : -1);
          EXPECT_TRUE(beside) << beside.error();
        }
        end.arrive_and_wait();  // held until all others have given up
        return whole;
      }));
    }
    int owners = 0;
    for (auto& thread : threads) owners += thread.get() ? 1 : 0;
    EXPECT_EQ(owners, 1) << "in round " << round;
  }
}

}  // namespace
}  // namespace tocsin::net
