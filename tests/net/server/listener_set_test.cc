// The hand-over of listening sockets: what the next process takes, opens, closes and tells.
#include "net/server/listener_set.h"

#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <chrono>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "net/server/service_notify.h"
#include "tests/net/support/fake_manager.h"
#include "tests/net/support/own_port.h"
#include "tests/net/support/socket_pair.h"

namespace tocsin::net {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
using testing::StartsWith;

constexpr ListenOptions kOptions{.send_buffer = 64 * 1024, .user_timeout_ms = 30'000};

ListenAddress address_of(const std::string& text) {
  return parse_listen_address(text).value();
}

int option_of(int fd, int level, int option) {
  int value = 0;
  socklen_t size = sizeof(value);
  EXPECT_EQ(::getsockopt(fd, level, option, &value, &size), 0);
  return value;
}

Fd connect_to(const ListenAddress& address) {
  Fd client(::socket(address.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const auto* to = reinterpret_cast<const sockaddr*>(&address.storage);
  EXPECT_EQ(::connect(client.get(), to, address.length), 0);
  return client;
}

class ListenerSetTest : public testing::Test {
 protected:
  // What a manager that keeps descriptors would do with what it is told.
  void obey() {
    std::vector<Fd> came;
    for (std::string said; (said = manager_.receive(came)) != "nothing"; came.clear()) {
      const auto name = [&] {
        const std::size_t at = said.find("FDNAME=") + 7;
        return said.substr(at, said.find('\n', at) - at);
      };
      if (said.starts_with("FDSTORE=1\n")) {
        for (Fd& fd : came) kept_.push_back({name(), std::move(fd)});
      } else if (said.starts_with("FDSTOREREMOVE=1\n")) {
        std::erase_if(kept_, [&](const auto& each) { return each.first == name(); });
      }
    }
  }
  // What the next process is handed.
  std::vector<HandedDescriptor> handed() {
    std::vector<HandedDescriptor> result;
    for (const auto& [name, fd] : kept_) result.push_back({::dup(fd.get()), name});
    return result;
  }
  ListenerSet open(std::vector<std::string> texts, std::size_t shards,
                   std::vector<HandedDescriptor> from, const ListenOptions& options = kOptions) {
    std::vector<ListenAddress> addresses;
    for (const std::string& text : texts) addresses.push_back(address_of(text));
    auto set = ListenerSet::open(addresses, shards, options, std::move(from), &notify_);
    EXPECT_TRUE(set) << set.error();
    obey();
    return set ? *std::move(set) : ListenerSet();
  }
  // The shards that it takes to accept so many connections.
  static std::set<std::size_t> accepting(const ListenerSet& set, std::size_t shards,
                                         std::size_t connections) {
    std::set<std::size_t> who;
    std::size_t taken = 0;
    for (std::size_t shard = 0; shard < shards; ++shard) {
      for (const int listener : set.of_shard(shard)) {
        for (;;) {
          const Fd next{::accept(listener, nullptr, nullptr)};
          if (next.get() < 0) break;
          who.insert(shard);
          ++taken;
        }
      }
    }
    EXPECT_EQ(taken, connections);
    return who;
  }

  OwnPort port_;
  OwnPort other_;
  FakeManager manager_{FakeManager::abstract_name()};
  ServiceNotify notify_{manager_.address(), std::nullopt};
  std::vector<std::pair<std::string, Fd>> kept_;
};

TEST_F(ListenerSetTest, WhoConnectsBetweenTwoProcessesWaitsForTheNext) {
  for (const bool v6 : {false, true}) {
    const OwnPort port(v6 ? AF_INET6 : AF_INET);
    kept_.clear();
    auto first = open({port.address()}, 2, {});
    const ListenAddress address = first.addresses()[0];
    ASSERT_THAT(kept_, SizeIs(2));
    std::string name = "tocsin-" + port.address();
    for (char& c : name) c = c == ':' ? '-' : c;
    EXPECT_EQ(kept_[0].first, name);
    EXPECT_EQ(kept_[1].first, name);
    std::vector<Fd> clients;
    for (int i = 0; i < 10; ++i) clients.push_back(connect_to(address));
    first.close();
    for (int i = 0; i < 90; ++i) clients.push_back(connect_to(address));
    EXPECT_FALSE(listen_on(address, ListenRole::first, kOptions, std::chrono::milliseconds(0)))
        << "nobody else's";
    const auto second = open({port.address()}, 2, handed());
    EXPECT_THAT(second.all(), SizeIs(2));
    EXPECT_THAT(kept_, SizeIs(2)) << "it had them";
    EXPECT_EQ(accepting(second, 2, clients.size()), (std::set<std::size_t>{0, 1}));
  }
}

TEST_F(ListenerSetTest, EverySocketOfAnAddressIsAcceptedFrom) {
  open({port_.address()}, 3, {}).close();
  for (const std::size_t shards : {1U, 2U, 5U, 4U}) {
    const auto set = open({port_.address()}, shards, handed());
    const std::size_t sockets = std::max<std::size_t>(kept_.size(), shards);
    EXPECT_THAT(set.all(), SizeIs(sockets));
    EXPECT_THAT(kept_, SizeIs(sockets));
    std::multiset<int> accepted_from;
    for (std::size_t shard = 0; shard < shards; ++shard) {
      const auto own = set.of_shard(shard);
      EXPECT_THAT(own, testing::Not(IsEmpty())) << shard;
      accepted_from.insert(own.begin(), own.end());
    }
    const auto all = set.all();
    EXPECT_EQ(accepted_from, std::multiset<int>(all.begin(), all.end()));
    std::vector<Fd> clients;
    for (int i = 0; i < 200; ++i) clients.push_back(connect_to(set.addresses()[0]));
    EXPECT_THAT(accepting(set, shards, clients.size()), SizeIs(shards));
  }
}

TEST_F(ListenerSetTest, AnAddressThatIsNoLongerWantedIsGivenUp) {
  open({port_.address(), other_.address()}, 2, {}).close();
  EXPECT_THAT(kept_, SizeIs(4));
  const auto set = open({port_.address()}, 2, handed());
  EXPECT_THAT(set.all(), SizeIs(2));
  EXPECT_THAT(kept_, SizeIs(2));
  const auto another = ListenerSet::open({{address_of(other_.address())}}, 1, kOptions);
  EXPECT_TRUE(another) << another.error();
}

TEST_F(ListenerSetTest, TheWildcardTakesThePlaceOfAnAddress) {
  open({port_.address()}, 2, {}).close();
  const std::string everywhere = "0.0.0.0" + port_.address().substr(port_.address().find(':'));
  // The manager closes it a moment later.
  std::vector<HandedDescriptor> from = handed();
  kept_.clear();
  const auto set = open({everywhere}, 2, std::move(from));
  EXPECT_THAT(set.all(), SizeIs(2));
}

TEST_F(ListenerSetTest, OptionsAreSetAnew) {
  open({port_.address()}, 1, {}).close();
  // In bytes of the kernel, which doubles what it is told.
  const std::pair<std::uint32_t, int> sizes[] = {
      {100'000, 200'000}, {0, 16 * 1024}, {5000, 10'000}};
  for (const auto& [asked, is] : sizes) {
    const auto set = open({port_.address()}, 1, handed(),
                          {.send_buffer = asked, .user_timeout_ms = 40'000 + asked});
    const int fd = set.all()[0];
    EXPECT_EQ(option_of(fd, SOL_SOCKET, SO_SNDBUF), is);
    EXPECT_EQ(option_of(fd, SOL_SOCKET, SO_BUF_LOCK) & 1, asked == 0 ? 0 : 1)
        << "the kernel lets it grow";
    EXPECT_EQ(option_of(fd, IPPROTO_TCP, TCP_USER_TIMEOUT), static_cast<int>(40'000 + asked));
  }
}

// A socket unit's: opened by another, without any option of ours.
TEST_F(ListenerSetTest, ASocketUnitsSocketIsUsedAndStaysIts) {
  Fd unit(port_.listen(5));
  std::vector<HandedDescriptor> from;
  from.push_back({::dup(unit.get()), "tocsin.socket"});
  from.push_back({::dup(unit.get()), "tocsin-from-the-store"});  // the same once more
  const auto set = open({port_.address()}, 2, std::move(from));
  ASSERT_THAT(set.all(), SizeIs(2));
  EXPECT_THAT(kept_, SizeIs(1)) << "the one that was opened beside it";
  const int fd = set.of_shard(0)[0];
  EXPECT_NE(::fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
  EXPECT_EQ(option_of(fd, IPPROTO_TCP, TCP_NODELAY), 1);
  EXPECT_EQ(option_of(fd, SOL_SOCKET, SO_KEEPALIVE), 1);
  std::vector<Fd> clients;
  for (int i = 0; i < 50; ++i) clients.push_back(connect_to(set.addresses()[0]));
  EXPECT_THAT(accepting(set, 2, clients.size()), SizeIs(2));
}

// Another user's sockets let no others beside them.
TEST_F(ListenerSetTest, ShardsShareWhatIsAllThereIs) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root to be somebody else";
  open({port_.address()}, 1, {}).close();
  std::vector<HandedDescriptor> from = handed();
  ASSERT_EQ(::seteuid(65534), 0);
  const auto set = open({port_.address()}, 3, std::move(from));
  ASSERT_EQ(::seteuid(0), 0);
  ASSERT_THAT(set.all(), SizeIs(1));
  for (std::size_t shard = 0; shard < 3; ++shard) EXPECT_EQ(set.of_shard(shard), set.all());
}

TEST_F(ListenerSetTest, RubbishIsClosedAndForgotten) {
  const TestListener elsewhere;
  const auto in_unix = [] {
    const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const sockaddr_un unnamed{.sun_family = AF_UNIX, .sun_path = {}};
    EXPECT_EQ(::bind(fd, reinterpret_cast<const sockaddr*>(&unnamed), sizeof(sa_family_t)), 0);
    EXPECT_EQ(::listen(fd, 1), 0);
    return fd;
  };
  int pipe[2];
  ASSERT_EQ(::pipe(pipe), 0);
  std::vector<HandedDescriptor> from;
  from.push_back({::socket(AF_INET, SOCK_STREAM, 0), "tocsin-not-listening"});
  from.push_back({::socket(AF_INET, SOCK_DGRAM, 0), "tocsin-datagrams"});
  from.push_back({in_unix(), "tocsin-unix"});
  from.push_back({pipe[0], "tocsin-a-pipe"});
  from.push_back({pipe[1], "a pipe"});
  from.push_back({::open("/dev/null", O_RDONLY), "tocsin-a-pipe"});
  from.push_back({::dup(elsewhere.fd()), "other.socket"});
  std::vector<int> numbers;
  for (const HandedDescriptor& each : from) {
    ASSERT_GE(each.fd, 0) << each.name;
    numbers.push_back(each.fd);
  }
  const auto set =
      ListenerSet::open({{address_of(port_.address())}}, 2, kOptions, std::move(from), &notify_);
  ASSERT_TRUE(set) << set.error();
  EXPECT_THAT(set->all(), SizeIs(2));
  for (const int fd : numbers) {
    const auto all = set->all();
    EXPECT_TRUE(::fcntl(fd, F_GETFD) < 0 || std::ranges::find(all, fd) != all.end()) << fd;
  }
  std::set<std::string> said;
  for (std::string message; (message = manager_.receive()) != "nothing";) said.insert(message);
  EXPECT_THAT(said, SizeIs(5)) << "each name once, and none of others";
  EXPECT_THAT(*said.rbegin(), StartsWith("FDSTOREREMOVE=1\nFDNAME=tocsin-unix\n"));
  EXPECT_THAT(*said.begin(), HasSubstr("FDSTORE=1\n"));
}

// Good sockets under a name of which a bad one must go are kept all the same.
TEST_F(ListenerSetTest, WhatIsForgottenByNameIsKeptAgainIfItIsGood) {
  open({port_.address()}, 2, {}).close();
  kept_.push_back({kept_[0].first, Fd(::socket(AF_INET, SOCK_STREAM, 0))});
  const auto set = open({port_.address()}, 2, handed());
  EXPECT_THAT(set.all(), SizeIs(2));
  EXPECT_THAT(kept_, SizeIs(2));
  for (const auto& [name, fd] : kept_) EXPECT_TRUE(listening_address(fd.get())) << name;
}

TEST_F(ListenerSetTest, WithoutAManagerThePortIsFreeAtTheEnd) {
  auto first = ListenerSet::open({{address_of(port_.address())}}, 2, kOptions);
  ASSERT_TRUE(first) << first.error();
  first->close();
  EXPECT_TRUE(ListenerSet::open({{address_of(port_.address())}}, 2, kOptions));
}

}  // namespace
}  // namespace tocsin::net
