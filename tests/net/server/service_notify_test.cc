#include "net/server/service_notify.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/net/support/fake_manager.h"
#include "tests/net/support/socket_pair.h"

namespace tocsin::net {
namespace {

using namespace std::chrono_literals;
using testing::MatchesRegex;

TEST(ServiceNotify, SaysEachStateInTheProtocolsWords) {
  const FakeManager manager(FakeManager::abstract_name());
  ServiceNotify notify(manager.address(), std::nullopt);
  ASSERT_TRUE(notify.active());
  EXPECT_TRUE(notify.ready());
  EXPECT_EQ(manager.receive(), "READY=1\n");
  EXPECT_TRUE(notify.ready("2 shards"));
  EXPECT_EQ(manager.receive(), "READY=1\nSTATUS=2 shards\n");
  EXPECT_TRUE(notify.reloading());
  EXPECT_THAT(manager.receive(), MatchesRegex("RELOADING=1\nMONOTONIC_USEC=[0-9]+\n"));
  EXPECT_TRUE(notify.status("7 streams"));
  EXPECT_EQ(manager.receive(), "STATUS=7 streams\n");
  EXPECT_TRUE(notify.alive());
  EXPECT_EQ(manager.receive(), "WATCHDOG=1\n");
  EXPECT_TRUE(notify.extend_timeout(2s));
  EXPECT_EQ(manager.receive(), "EXTEND_TIMEOUT_USEC=2000000\n");
  EXPECT_TRUE(notify.stopping("draining"));
  EXPECT_EQ(manager.receive(), "STOPPING=1\nSTATUS=draining\n");
}

TEST(ServiceNotify, AStatusCannotSmuggleInAnotherAssignment) {
  const FakeManager manager(FakeManager::abstract_name());
  ServiceNotify notify(manager.address(), std::nullopt);
  EXPECT_TRUE(notify.status("a\nWATCHDOG=trigger"));
  EXPECT_EQ(manager.receive(), "STATUS=a WATCHDOG=trigger\n");
}

TEST(ServiceNotify, SpeaksToAPathToo) {
  const FakeManager manager(
      (std::filesystem::temp_directory_path() / fmt::format("tocsin-notify-{}", ::getpid()))
          .string());
  ServiceNotify notify(manager.address(), std::nullopt);
  EXPECT_TRUE(notify.ready());
  EXPECT_EQ(manager.receive(), "READY=1\n");
}

// The kernel lets one message carry 253.
TEST(ServiceNotify, HasDescriptorsKept) {
  const FakeManager manager(FakeManager::abstract_name());
  ServiceNotify notify(manager.address(), std::nullopt);
  constexpr std::size_t kCount = 300;
  std::vector<Fd> pipes;
  std::vector<int> fds;
  while (fds.size() < kCount) fds.push_back(pipes.emplace_back(::dup(0)).get());
  EXPECT_TRUE(notify.store("a-name", fds));
  std::vector<Fd> kept;
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(manager.receive(kept), "FDSTORE=1\nFDNAME=a-name\nFDPOLL=0\n");
  }
  EXPECT_EQ(kept.size(), kCount);
  EXPECT_TRUE(notify.store("none", {}));
  EXPECT_TRUE(notify.forget("a-name"));
  EXPECT_EQ(manager.receive(kept), "FDSTOREREMOVE=1\nFDNAME=a-name\n");
  EXPECT_EQ(kept.size(), kCount);
}

TEST(ServiceNotify, WaitsForAManagerThatKeepsDescriptorsButNotForEver) {
  const FakeManager manager(FakeManager::abstract_name());
  ServiceNotify notify(manager.address(), std::nullopt);
  const std::vector<int> fds{0};
  for (int i = 0; i < 100'000 && notify.alive(); ++i) {
  }
  EXPECT_FALSE(notify.store("a-name", fds));
}

TEST(ServiceNotify, AVanishedManagerIsNoError) {
  std::string address;
  {
    const FakeManager manager(FakeManager::abstract_name());
    address = manager.address();
  }
  ServiceNotify notify(address, std::nullopt);
  EXPECT_FALSE(notify.ready());
}

TEST(ServiceNotify, AManagerThatDoesNotReadNeverBlocksUs) {
  const FakeManager manager(FakeManager::abstract_name());
  ServiceNotify notify(manager.address(), std::nullopt);
  bool refused = false;
  for (int i = 0; i < 100'000 && !refused; ++i) {
    refused = !notify.alive();
  }
  EXPECT_TRUE(refused);
}

TEST(ServiceNotify, WithoutAnAddressNothingHappens) {
  for (const char* address : {"", "@", "relative", "vsock:2:1234"}) {
    ServiceNotify notify(address, 10s);
    EXPECT_FALSE(notify.active()) << address;
    EXPECT_FALSE(notify.ready()) << address;
    EXPECT_EQ(notify.watchdog_interval(), std::nullopt) << address;
  }
  ServiceNotify too_long("/" + std::string(200, 'x'), std::nullopt);
  EXPECT_FALSE(too_long.active());
}

class ServiceEnvironment : public testing::Test {
 protected:
  ~ServiceEnvironment() override {
    for (const char* name : {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"}) {
      ::unsetenv(name);
    }
  }
};

TEST_F(ServiceEnvironment, IsReadAndThenClearedForChildren) {
  const FakeManager manager(FakeManager::abstract_name());
  ::setenv("NOTIFY_SOCKET", manager.address().c_str(), 1);
  ::setenv("WATCHDOG_USEC", "20000000", 1);
  ::setenv("WATCHDOG_PID", fmt::format("{}", ::getpid()).c_str(), 1);
  ServiceNotify notify = ServiceNotify::from_environment();
  EXPECT_EQ(notify.watchdog_interval(), 10s);
  EXPECT_TRUE(notify.ready());
  EXPECT_EQ(manager.receive(), "READY=1\n");
  for (const char* name : {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"}) {
    EXPECT_EQ(std::getenv(name), nullptr) << name;
  }
}

TEST_F(ServiceEnvironment, AWatchdogForAnotherProcessOrABrokenOneIsNotOurs) {
  const FakeManager manager(FakeManager::abstract_name());
  const auto interval = [&](const char* microseconds, const char* pid) {
    ::setenv("NOTIFY_SOCKET", manager.address().c_str(), 1);
    ::setenv("WATCHDOG_USEC", microseconds, 1);
    ::setenv("WATCHDOG_PID", pid, 1);
    return ServiceNotify::from_environment().watchdog_interval();
  };
  EXPECT_EQ(interval("20000000", "1"), std::nullopt);
  const std::string self = fmt::format("{}", ::getpid());
  EXPECT_EQ(interval("0", self.c_str()), std::nullopt);
  EXPECT_EQ(interval("soon", self.c_str()), std::nullopt);
  EXPECT_EQ(interval("2000", self.c_str()), 1ms);
}

TEST_F(ServiceEnvironment, WithoutSystemdItIsInactive) {
  ServiceNotify notify = ServiceNotify::from_environment();
  EXPECT_FALSE(notify.active());
}

}  // namespace
}  // namespace tocsin::net
