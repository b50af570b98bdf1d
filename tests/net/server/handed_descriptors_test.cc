// What a service manager, or whoever plays one, may say of the descriptors that it hands over.
#include "net/server/handed_descriptors.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/net/support/socket_pair.h"

namespace tocsin::net {
namespace {

using testing::IsEmpty;
using testing::SizeIs;

class HandedDescriptors : public testing::Test {
 protected:
  HandedDescriptors() {
    // From 3 on everything is open.
    while (opened_.empty() || opened_.back().get() < kLast) {
      opened_.emplace_back(::open("/dev/null", O_RDONLY));
    }
  }
  ~HandedDescriptors() override {
    for (const char* name : kNames) ::unsetenv(name);
  }

  static void say(const std::string& pid, const std::string& count, const std::string& names) {
    ::setenv("LISTEN_PID", pid.c_str(), 1);
    ::setenv("LISTEN_FDS", count.c_str(), 1);
    ::setenv("LISTEN_FDNAMES", names.c_str(), 1);
  }
  static std::string self() { return fmt::format("{}", ::getpid()); }

  static constexpr int kLast = 12;
  static constexpr const char* kNames[] = {"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"};
  std::vector<Fd> opened_;
};

TEST_F(HandedDescriptors, AreTakenOnceWithTheirNames) {
  say(self(), "3", "one::two");
  const auto handed = take_handed_descriptors();
  ASSERT_THAT(handed, SizeIs(3));
  const std::string names[] = {"one", "", "two"};
  for (int i = 0; i < 3; ++i) {
    const HandedDescriptor& each = handed[static_cast<std::size_t>(i)];
    EXPECT_EQ(each.fd, 3 + i);
    EXPECT_EQ(each.name, names[i]);
    EXPECT_NE(::fcntl(each.fd, F_GETFD) & FD_CLOEXEC, 0) << "no child has it";
  }
  for (const char* name : kNames) EXPECT_EQ(std::getenv(name), nullptr) << name;
  EXPECT_THAT(take_handed_descriptors(), IsEmpty());
}

TEST_F(HandedDescriptors, FewerNamesOrMoreAreNoError) {
  say(self(), "2", "one");
  auto handed = take_handed_descriptors();
  ASSERT_THAT(handed, SizeIs(2));
  EXPECT_EQ(handed[1].name, "");
  say(self(), "1", "one:two:three");
  handed = take_handed_descriptors();
  ASSERT_THAT(handed, SizeIs(1));
  EXPECT_EQ(handed[0].name, "one");
  ::unsetenv("LISTEN_FDNAMES");
  say(self(), "1", "");
  EXPECT_THAT(take_handed_descriptors(), SizeIs(1));
}

TEST_F(HandedDescriptors, OfAnotherProcessOrNonsenseAreNotOurs) {
  for (const char* pid : {"1", "", "-1", "self", "99999999999999999999"}) {
    say(pid, "1", "x");
    EXPECT_THAT(take_handed_descriptors(), IsEmpty()) << pid;
    EXPECT_EQ(std::getenv("LISTEN_FDS"), nullptr) << pid;
  }
  for (const char* count : {"0", "", "-1", "1x", " 1", "0x1", "99999999999999999999"}) {
    say(self(), count, "x");
    EXPECT_THAT(take_handed_descriptors(), IsEmpty()) << count;
  }
  ::setenv("LISTEN_FDS", "1", 1);
  EXPECT_THAT(take_handed_descriptors(), IsEmpty()) << "no LISTEN_PID";
}

TEST_F(HandedDescriptors, WhatIsNotOpenIsLeftOut) {
  const int hole = opened_.back().get();
  opened_.back().reset();
  say(self(), "18446744073709551615", "");
  for (const HandedDescriptor& each : take_handed_descriptors()) EXPECT_NE(each.fd, hole);
}

}  // namespace
}  // namespace tocsin::net
