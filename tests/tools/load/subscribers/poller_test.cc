// What both kinds of poller promise, on real sockets.
#include "tools/load/subscribers/poller.h"

#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "tests/net/support/own_port.h"

namespace tocsin::load {
namespace {

class PollerTest : public testing::TestWithParam<IoKind>, protected PollHandler {
 protected:
  struct Peer {
    int ours = -1;
    int theirs = -1;
    std::uint32_t generation = 1;
    std::string bytes;
    bool ended = false;
    int error = -1;
    int writable = 0;
  };

  void SetUp() override {
    auto made = make_poller(GetParam(), wake_);
    if (!made) GTEST_SKIP() << made.error();
    poller_ = std::move(*made);
  }
  ~PollerTest() override {
    poller_.reset();
    for (auto& [slot, peer] : peers_) {
      if (peer.ours >= 0) close(peer.ours);
      if (peer.theirs >= 0) close(peer.theirs);
    }
    close(wake_);
  }

  Peer& open(std::uint32_t slot) {
    Peer& peer = peers_[slot];
    std::array<int, 2> pair{};
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair.data()), 0);
    peer.ours = pair[0];
    peer.theirs = pair[1];
    poller_->watch(token(slot), peer.ours);
    return peer;
  }
  void close_ours(std::uint32_t slot) {
    Peer& peer = peers_.at(slot);
    poller_->forget(token(slot), peer.ours);
    close(peer.ours);
    peer.ours = -1;
  }
  PollToken token(std::uint32_t slot) { return {slot, peers_.at(slot).generation}; }
  static void send(const Peer& peer, std::string_view bytes) {
    ASSERT_EQ(::send(peer.theirs, bytes.data(), bytes.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(bytes.size()));
  }
  // Until `done`; fails after five seconds without.
  void wait_for(const std::function<bool()>& done) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(5);
    while (!done()) {
      ASSERT_LT(std::chrono::steady_clock::now(), deadline);
      poller_->wait(100, *this);
    }
  }
  // Everything that is known by now.
  void drain() {
    for (int i = 0; i < 5; ++i) poller_->wait(0, *this);
  }

  int fd_of(PollToken token) override {
    const auto found = peers_.find(token.slot);
    if (found == peers_.end() || found->second.generation != token.generation) return -1;
    return found->second.ours;
  }
  void on_writable(PollToken token) override { ++peers_.at(token.slot).writable; }
  void on_bytes(PollToken token, char* bytes, std::size_t size) override {
    std::fill(bytes - Poller::kFront, bytes, 'f');  // the room in front is ours
    peers_.at(token.slot).bytes.append(bytes, size);
    if (on_bytes_) on_bytes_(token);
  }
  void on_end(PollToken token, int error) override {
    Peer& peer = peers_.at(token.slot);
    EXPECT_FALSE(peer.ended) << "reported twice";
    peer.ended = true;
    peer.error = error;
    close_ours(token.slot);
  }

  int wake_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  std::unique_ptr<Poller> poller_;
  std::map<std::uint32_t, Peer> peers_;
  std::function<void(PollToken)> on_bytes_;
};

TEST_P(PollerTest, DeliversBytesAndTheEnd) {
  Peer& peer = open(3);
  send(peer, "hello");
  wait_for([&] { return peer.bytes == "hello"; });
  send(peer, " again");
  wait_for([&] { return peer.bytes == "hello again"; });
  shutdown(peer.theirs, SHUT_WR);
  wait_for([&] { return peer.ended; });
  EXPECT_EQ(peer.error, 0);
}

TEST_P(PollerTest, SeesAnEndThatCameWithTheLastBytes) {
  for (std::uint32_t slot = 0; slot < 100; ++slot) {
    Peer& peer = open(slot);
    send(peer, "bye");
    close(peer.theirs);
    peer.theirs = -1;
  }
  wait_for(
      [&] { return std::ranges::all_of(peers_, [](const auto& p) { return p.second.ended; }); });
  for (const auto& [slot, peer] : peers_) EXPECT_EQ(peer.bytes, "bye") << slot;
}

TEST_P(PollerTest, LosesNoWakeUpOfWhatIsReadInPart) {
  Peer& peer = open(0);
  std::string sent;
  std::thread writer([&] {
    const std::string piece(64 * 1024, 'x');
    std::size_t left = 20U * 1024 * 1024;
    while (left > 0) {
      const ssize_t n = ::send(peer.theirs, piece.data(), std::min(left, piece.size()), 0);
      if (n > 0) left -= static_cast<std::size_t>(n);
      if (n < 0) std::this_thread::yield();
    }
  });
  wait_for([&] { return peer.bytes.size() == 20U * 1024 * 1024; });
  writer.join();
}

TEST_P(PollerTest, ServesManyAtOnce) {
  constexpr std::uint32_t kPeers = 1000;
  for (std::uint32_t i = 0; i < kPeers; ++i) open(i);
  for (int round = 1; round <= 5; ++round) {
    for (auto& [slot, peer] : peers_) send(peer, "tick ");
    wait_for([&] {
      return std::ranges::all_of(peers_, [&](const auto& p) {
        return p.second.bytes.size() == 5U * static_cast<std::size_t>(round);
      });
    });
  }
}

TEST_P(PollerTest, ReportsNothingOfAnOldConnectionOfTheSlot) {
  Peer& peer = open(0);
  send(peer, "old");
  close_ours(0);
  close(peer.theirs);
  ++peer.generation;
  open(0);
  drain();
  EXPECT_EQ(peer.bytes, "");
  EXPECT_FALSE(peer.ended);
  send(peer, "new");
  wait_for([&] { return peer.bytes == "new"; });
}

TEST_P(PollerTest, SurvivesClosingOthersFromAReport) {
  for (std::uint32_t i = 0; i < 50; ++i) send(open(i), "x");
  std::uint32_t reports = 0;
  on_bytes_ = [&](PollToken token) {
    ++reports;
    for (std::uint32_t i = 0; i < 50; ++i) {
      if (i == token.slot || peers_.at(i).ours < 0) continue;
      close_ours(i);
      close(peers_.at(i).theirs);
      ++peers_.at(i).generation;
      open(i);
    }
  };
  wait_for([&] { return reports > 0; });
  drain();
  EXPECT_EQ(reports, 1U);
  on_bytes_ = nullptr;
  for (auto& [slot, peer] : peers_) send(peer, "y");
  wait_for([&] {
    return std::ranges::all_of(peers_, [](const auto& p) { return p.second.bytes.ends_with('y'); });
  });
}

TEST_P(PollerTest, AForgottenSocketIsClosedForItsPeer) {
  Peer& peer = open(0);
  drain();  // the watch is the kernel's by now
  close_ours(0);
  poller_->flush();
  char byte = 0;
  EXPECT_EQ(recv(peer.theirs, &byte, 1, 0), 0);
}

// What is unread, and not even reported, does not keep it open.
TEST_P(PollerTest, AForgottenSocketIsClosedForItsPeerWhileBytesArrive) {
  for (std::uint32_t slot = 0; slot < 20; ++slot) open(slot);
  drain();
  for (auto& [slot, peer] : peers_) {
    send(peer, "x");
    close_ours(slot);
  }
  poller_->flush();
  for (const auto& [slot, peer] : peers_) {
    char byte = 0;
    EXPECT_EQ(recv(peer.theirs, &byte, 1, MSG_DONTWAIT), -1);
    EXPECT_EQ(errno, ECONNRESET) << slot;
  }
}

TEST_P(PollerTest, AForgottenSocketMayBeReadOtherwiseAndWatchedAgain) {
  Peer& peer = open(0);
  poller_->forget(token(0), peer.ours);
  poller_->flush();
  const int fd = std::exchange(peer.ours, -1);  // as fd_of() says for it
  send(peer, "mine");
  drain();
  EXPECT_EQ(peer.bytes, "");
  peer.ours = fd;
  poller_->watch(token(0), fd);
  wait_for([&] { return peer.bytes == "mine"; });
}

TEST_P(PollerTest, SaysWhenAConnectIsOver) {
  const net::OwnPort port;
  const int listener = port.listen(10);
  for (std::uint32_t slot = 0; slot < 2; ++slot) {
    if (slot == 1) close(listener);  // nobody listens there any more
    Peer& peer = peers_[slot];
    peer.ours = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    connect(peer.ours, port.raw(), port.where().size);
    poller_->watch_connect(token(slot), peer.ours);
    wait_for([&] { return peer.writable > 0 || peer.ended; });
    if (!peer.ended) {
      EXPECT_EQ(::send(peer.ours, "x", 1, MSG_NOSIGNAL), slot == 0 ? 1 : -1);
    }
    drain();
    EXPECT_LE(peer.writable, 1);
  }
}

TEST_P(PollerTest, WakesAndTimesOut) {
  using std::chrono::steady_clock;
  const auto start = steady_clock::now();
  // A wait may end early (a ring that goes away interrupts its thread), but does not spin.
  int waits = 0;
  for (; steady_clock::now() - start < std::chrono::milliseconds(20); ++waits) {
    poller_->wait(20, *this);
  }
  EXPECT_LE(waits, 10);
  for (int i = 0; i < 3; ++i) {
    std::thread waker([&] {
      const std::uint64_t one = 1;
      ASSERT_EQ(write(wake_, &one, sizeof one), static_cast<ssize_t>(sizeof one));
    });
    poller_->wait(-1, *this);  // without the wake-up this would hang
    waker.join();
  }
}

INSTANTIATE_TEST_SUITE_P(Kinds, PollerTest, testing::Values(IoKind::uring, IoKind::epoll),
                         [](const auto& kind) {
                           return kind.param == IoKind::uring ? "uring" : "epoll";
                         });

TEST(MakePoller, AutomaticIsOneOfTheTwo) {
  const int wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  const auto made = make_poller(IoKind::automatic, wake);
  ASSERT_TRUE(made);
  const bool has_uring = make_poller(IoKind::uring, wake).has_value();
  EXPECT_EQ((*made)->name(), has_uring ? "io_uring" : "epoll");
  close(wake);
}

}  // namespace
}  // namespace tocsin::load
