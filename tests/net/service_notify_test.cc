#include "net/service_notify.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <string>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tocsin::net {
namespace {

using namespace std::chrono_literals;
using testing::MatchesRegex;

// Plays systemd: a datagram socket with an address of the abstract namespace or a path.
class FakeManager {
 public:
  explicit FakeManager(std::string address) : address_(std::move(address)) {
    fd_ = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    sockaddr_un name{};
    name.sun_family = AF_UNIX;
    std::memcpy(name.sun_path, address_.data(), address_.size());
    if (address_[0] == '@') {
      name.sun_path[0] = '\0';
    }
    const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + address_.size());
    EXPECT_EQ(::bind(fd_, reinterpret_cast<const sockaddr*>(&name), length), 0);
  }
  ~FakeManager() {
    ::close(fd_);
    if (address_[0] == '/') {
      std::filesystem::remove(address_);
    }
  }
  FakeManager(const FakeManager&) = delete;
  FakeManager& operator=(const FakeManager&) = delete;

  [[nodiscard]] const std::string& address() const { return address_; }
  // The next message; "nothing" if there is none.
  [[nodiscard]] std::string receive() const {
    std::array<char, 4096> text{};
    const ssize_t length = ::recv(fd_, text.data(), text.size(), 0);
    return length < 0 ? "nothing" : std::string(text.data(), static_cast<std::size_t>(length));
  }

 private:
  std::string address_;
  int fd_ = -1;
};

std::string abstract_name() {
  return fmt::format("@tocsin-notify-test-{}", ::getpid());
}

TEST(ServiceNotify, SaysEachStateInTheProtocolsWords) {
  const FakeManager manager(abstract_name());
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
  const FakeManager manager(abstract_name());
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

TEST(ServiceNotify, AVanishedManagerIsNoError) {
  std::string address;
  {
    const FakeManager manager(abstract_name());
    address = manager.address();
  }
  ServiceNotify notify(address, std::nullopt);
  EXPECT_FALSE(notify.ready());
}

TEST(ServiceNotify, AManagerThatDoesNotReadNeverBlocksUs) {
  const FakeManager manager(abstract_name());
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
  const FakeManager manager(abstract_name());
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
  const FakeManager manager(abstract_name());
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
