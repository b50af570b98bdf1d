// What the server does where io_uring is forbidden, as a container's seccomp filter forbids it.
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <stdexcept>
#include <string>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/net/support/server_fixture.h"

namespace tocsin::net {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::HasSubstr;
using testing::Key;

// For the calling thread and those that it starts; cannot be taken back. False: not possible here.
bool forbid_io_uring() {
  std::array<sock_filter, 4> program{{
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_uring_setup, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  }};
  const sock_fprog filter{.len = program.size(), .filter = program.data()};
  return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
}

class ServerFallback : public ServerTest {
 protected:
  // A server whose shards are refused io_uring. Its error, empty if it runs.
  std::string start_without_io_uring() {
    std::string error;
    // The filter ends with this thread and the shards.
    std::thread([&] {
      if (!forbid_io_uring()) {
        error = std::string("no seccomp filter: ") + std::strerror(errno);
        return;
      }
      try {
        start();
      } catch (const std::runtime_error& refused) {
        error = refused.what();
      }
    }).join();
    return error;
  }
};
INSTANTIATE_TEST_SUITE_P(Server, ServerFallback, testing::Values(IoChoice::automatic));

TEST_P(ServerFallback, AutoTakesEpollAndServes) {
  ASSERT_EQ(start_without_io_uring(), "");
  for (const auto& shard : server().state().metrics) EXPECT_STREQ(shard->io_name, "epoll");
  EXPECT_THAT(metrics(), Contains(Key(AllOf(HasSubstr("tocsin_info"), HasSubstr("epoll")))));
  TestSubscriber stream = subscribe("/events?stream=a");
  publish("stream=a", "one");
  publish("stream=a", "two");
  EXPECT_THAT(stream.wait_data(2), testing::ElementsAre("one", "two"));
}

TEST_P(ServerFallback, AskedForByNameItIsAnError) {
  options.io = IoChoice::uring;
  EXPECT_THAT(
      start_without_io_uring(),
      AllOf(HasSubstr("io_uring cannot be used: Operation not permitted"), HasSubstr("seccomp")));
}

}  // namespace
}  // namespace tocsin::net
