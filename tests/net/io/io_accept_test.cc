// Both backends against the promises of net/io/io.h: accepting, and having no descriptor left.
#include <fcntl.h>
#include <sched.h>

#include <atomic>
#include <cerrno>
#include <set>
#include <thread>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/net/support/descriptor_limit.h"
#include "tests/net/support/io_fixture.h"
#include "tests/net/support/test_client.h"

namespace tocsin::net {
namespace {

using testing::IsEmpty;

class IoAccept : public IoTest {};
INSTANTIATE_TEST_SUITE_P(Io, IoAccept, testing::ValuesIn(IoTest::kBackends), IoTest::backend_name);

TEST_P(IoAccept, TakesEveryConnectionUntilItIsStopped) {
  TestListener listener;
  io_->accept(listener.fd(), token(Op::accept, 4));
  std::vector<Fd> clients;
  std::vector<Fd> accepted;
  std::set<int> numbers;
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 30; ++i) clients.push_back(listener.connect());
    for (const Done& done : wait_for(30)) {
      EXPECT_EQ(done.token, token(Op::accept, 4));
      ASSERT_GE(done.result, 0);
      EXPECT_TRUE(numbers.insert(done.result).second);
      accepted.emplace_back(done.result);
      EXPECT_NE(::fcntl(done.result, F_GETFD) & FD_CLOEXEC, 0);
    }
  }
  // As the drain does it.
  io_->cancel_accept(listener.fd());
  EXPECT_EQ(wait_for(1)[0].result, -ECANCELED);
  io_->cancel_accept(listener.fd());  // once more, which nobody notices
  const Fd waiting = listener.connect();
  expect_quiet();
  // It may go on.
  io_->accept(listener.fd(), token(Op::accept, 5));
  const std::vector<Done> done = wait_for(1);
  EXPECT_EQ(done[0].token, token(Op::accept, 5));
  accepted.emplace_back(done[0].result);
}

// Others have the socket, too, as those who keep it for the next process.
TEST_P(IoAccept, IsDeafToASocketThatItNoLongerAcceptsFrom) {
  TestListener listener;
  const Fd other{::fcntl(listener.fd(), F_DUPFD_CLOEXEC, 0)};
  io_->accept(listener.fd(), token(Op::accept));
  io_->cancel_accept(listener.fd());
  EXPECT_EQ(wait_for(1)[0].result, -ECANCELED);
  ::close(listener.release());
  const Fd client = listener.connect();
  expect_quiet();
  const Fd accepted{::accept(other.get(), nullptr, nullptr)};
  EXPECT_GE(accepted.get(), 0);
}

// Whoever connected was taken, or waits: nobody is lost between the two.
TEST_P(IoAccept, LosesNobodyWhenItIsStoppedAmongConnections) {
  constexpr int kClients = 40;
  for (int round = 0; round < 25; ++round) {
    TestListener listener;
    io_->accept(listener.fd(), token(Op::accept));
    std::atomic<int> connected{0};
    std::vector<Fd> clients;
    std::thread connecting([&] {
      for (int i = 0; i < kClients; ++i) {
        clients.push_back(listener.connect());
        ++connected;
      }
    });
    std::vector<Fd> taken;
    const auto take = [&] {
      for (const Done& done : wait(*io_, 1)) {
        if (done.result < 0) return false;
        taken.emplace_back(done.result);
      }
      return true;
    };
    while (connected < round) EXPECT_TRUE(take());
    io_->cancel_accept(listener.fd());
    EXPECT_TRUE(eventually([&] { return !take(); }));
    connecting.join();
    std::size_t waiting = 0;
    for (Fd next{}; (next = Fd(::accept(listener.fd(), nullptr, nullptr))).get() >= 0; ++waiting) {
      taken.push_back(std::move(next));
    }
    EXPECT_EQ(taken.size(), static_cast<std::size_t>(kClients)) << waiting << " waited";
    for (const Fd& each : taken) EXPECT_EQ(::send(each.get(), "!", 1, MSG_NOSIGNAL), 1);
    for (const Fd& client : clients) EXPECT_EQ(read_bytes(client.get(), 1), "!");
  }
}

TEST_P(IoAccept, SeveralListenersAtOnce) {
  TestListener one;
  TestListener two;
  io_->accept(one.fd(), token(Op::accept, 0));
  io_->accept(two.fd(), token(Op::accept, 1));
  const Fd client = two.connect();
  auto done = wait_for(1);
  EXPECT_EQ(done[0].token.slot, 1U);
  Fd accepted{done[0].result};
  const Fd other = one.connect();
  done = wait_for(1);
  EXPECT_EQ(done[0].token.slot, 0U);
  Fd also{done[0].result};
}

TEST_P(IoAccept, AConnectionThatDiedInTheBacklogStopsNothing) {
  TestListener listener;
  for (int i = 0; i < 5; ++i) {
    Fd client = listener.connect();
    reset_socket(client);
  }
  io_->accept(listener.fd(), token(Op::accept));
  const Fd client = listener.connect();
  // Linux hands dead connections out too; the live one must be among what comes.
  bool served = false;
  EXPECT_TRUE(eventually([&] {
    for (const Done& done : wait(*io_, 10)) {
      Fd fd{done.result};
      served = served || send(fd.get(), "!") == 1;
    }
    return served;
  }));
}

TEST_P(IoAccept, RefusesNobodyWhereNobodyWaits) {
  TestListener listener;
  EXPECT_FALSE(io_->refuse(listener.fd(), "no"));
}

TEST_P(IoAccept, RefusesWithWords) {
  TestListener listener;
  const Fd client = listener.connect();
  ASSERT_EQ(::send(client.get(), "GET", 3, 0), 3);
  EXPECT_TRUE(io_->refuse(listener.fd(), "go away"));
  EXPECT_EQ(read_bytes(client.get(), 100), "go away");
  EXPECT_FALSE(io_->refuse(listener.fd(), "go away"));
}

// Runs `body` in a thread with a descriptor table of its own, filled until none is left; only there
// does lowering the process's limit for a moment bite.
template <typename Body>
void without_descriptors(Body body) {
  std::thread thread([&] {
    ASSERT_EQ(::unshare(CLONE_FILES), 0);
    body();
  });
  thread.join();
}

int lowest_free() {
  const Fd fd{::open("/dev/null", O_RDONLY | O_CLOEXEC)};
  return fd.get();
}

TEST_P(IoAccept, SurvivesThatNoDescriptorIsLeft) {
  without_descriptors([&] {
    const auto io = make();
    ASSERT_TRUE(io);
    TestListener listener;
    const Fd first = listener.connect();
    const Fd second = listener.connect();
    {
      const DescriptorLimit limit(static_cast<rlim_t>(lowest_free()) + 1);
      // Now, because io_uring notes the limit where a request is made.
      io->accept(listener.fd(), token(Op::accept));
      // One descriptor is left; the second connection stops the accepting, once.
      std::vector<Done> done = wait_for(*io, 2);
      Fd accepted{done[0].result};
      EXPECT_GE(done[0].result, 0);
      EXPECT_EQ(done[1].result, -EMFILE);
      EXPECT_TRUE(wait(*io, 30).empty()) << "a busy loop";
      // The one in reserve answers who waits.
      EXPECT_TRUE(io->refuse(listener.fd(), "full"));
      EXPECT_EQ(read_bytes(second.get(), 100), "full");
      EXPECT_FALSE(io->refuse(listener.fd(), "full"));
    }
    // With room again, accepting goes on when it is asked for.
    const Fd third = listener.connect();
    EXPECT_THAT(wait(*io, 30), IsEmpty());
    io->accept(listener.fd(), token(Op::accept, 2));
    const std::vector<Done> done = wait_for(*io, 1);
    EXPECT_EQ(done[0].token.slot, 2U);
    Fd accepted{done[0].result};
    EXPECT_GE(done[0].result, 0);
  });
}

}  // namespace
}  // namespace tocsin::net
