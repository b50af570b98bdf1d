// Both backends against the promises of net/io/io.h: receiving, watching, sending, waking, closing.
#include "net/io/io.h"

#include <poll.h>

#include <atomic>
#include <chrono>
#include <random>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "proto/limits.h"
#include "tests/net/support/io_fixture.h"
#include "tests/net/support/test_client.h"

namespace tocsin::net {
namespace {

using testing::AnyOf;
using testing::IsEmpty;

class IoSockets : public IoTest {};
INSTANTIATE_TEST_SUITE_P(Io, IoSockets, testing::ValuesIn(IoTest::kBackends), IoTest::backend_name);

std::string pattern(std::size_t size) {
  std::string text;
  for (int i = 0; text.size() < size; ++i) text += std::to_string(i) + ',';
  text.resize(size);
  return text;
}

TEST_P(IoSockets, ReceivesWhatComes) {
  SocketPair pair = make_socket_pair();
  io_->receive(pair.near.get(), token(Op::receive, 3));
  expect_quiet();
  ASSERT_EQ(::send(pair.far.get(), "hello", 5, 0), 5);
  const auto done = wait_for(1);
  EXPECT_EQ(done[0].token, token(Op::receive, 3));
  EXPECT_EQ(done[0].result, 5);
  EXPECT_EQ(done[0].data, "hello");
  // One-shot: what comes next is not read until it is asked for.
  ASSERT_EQ(::send(pair.far.get(), "more", 4, 0), 4);
  expect_quiet();
  io_->receive(pair.near.get(), token(Op::receive, 4));
  EXPECT_EQ(wait_for(1)[0].data, "more");
}

TEST_P(IoSockets, ReceivesTheEndOfTheStreamAfterItsBytes) {
  SocketPair pair = make_socket_pair();
  ASSERT_EQ(::send(pair.far.get(), "last", 4, 0), 4);
  ::shutdown(pair.far.get(), SHUT_WR);
  io_->receive(pair.near.get(), token(Op::receive));
  EXPECT_EQ(wait_for(1)[0].data, "last");
  io_->receive(pair.near.get(), token(Op::receive));
  EXPECT_EQ(wait_for(1)[0].result, 0);
}

TEST_P(IoSockets, ReceivesAReset) {
  SocketPair pair = make_socket_pair();
  io_->receive(pair.near.get(), token(Op::receive));
  expect_quiet();
  reset_socket(pair.far);
  EXPECT_EQ(wait_for(1)[0].result, -ECONNRESET);
}

// More bytes than one buffer, from more sockets than there are buffers: nothing is lost.
TEST_P(IoSockets, ReceivesFromManySocketsAtOnce) {
  constexpr std::size_t kSockets = limits::kReceiveBuffers + 40;
  const std::string text = pattern(limits::kReceiveBuffer + 100);
  const TestListener listener;
  std::vector<SocketPair> pairs;
  for (std::uint32_t i = 0; i < kSockets; ++i) {
    SocketPair pair{.near = Fd{}, .far = listener.connect()};
    pair.near = Fd{::accept4(listener.fd(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC)};
    pairs.push_back(std::move(pair));
    io_->receive(pairs[i].near.get(), token(Op::receive, i));
  }
  for (const SocketPair& pair : pairs) {
    ASSERT_EQ(::send(pair.far.get(), text.data(), text.size(), 0),
              static_cast<ssize_t>(text.size()));
  }
  std::vector<std::string> received(kSockets);
  std::size_t whole = 0;
  EXPECT_TRUE(eventually([&] {
    for (const Done& done : wait(*io_, 10)) {
      const std::uint32_t slot = done.token.slot;
      EXPECT_TRUE(done.result > 0 || done.result == -ENOBUFS) << done.result;
      received[slot] += done.data;
      if (received[slot].size() == text.size()) {
        ++whole;
      } else {
        io_->receive(pairs[slot].near.get(), token(Op::receive, slot));
      }
    }
    return whole == kSockets;
  }));
  for (const std::string& bytes : received) EXPECT_EQ(bytes, text);
}

TEST_P(IoSockets, ReceivesNowWithoutWaiting) {
  SocketPair pair = make_socket_pair();
  std::array<char, 16> buffer{};
  EXPECT_EQ(io_->receive_now(pair.near.get(), buffer), -EAGAIN);
  ASSERT_EQ(::send(pair.far.get(), "now", 3, 0), 3);
  EXPECT_TRUE(eventually([&] { return io_->receive_now(pair.near.get(), buffer) == 3; }));
  ::shutdown(pair.far.get(), SHUT_WR);
  EXPECT_TRUE(eventually([&] { return io_->receive_now(pair.near.get(), buffer) == 0; }));
}

// Bytes that nobody reads are no hang-up; that the peer shut down its sending side is one.
TEST_P(IoSockets, NoticesThatThePeerLeaves) {
  SocketPair pair = make_socket_pair();
  io_->watch(pair.near.get(), token(Op::hangup, 9));
  ASSERT_EQ(::send(pair.far.get(), "noise", 5, 0), 5);
  expect_quiet();
  ::shutdown(pair.far.get(), SHUT_WR);
  EXPECT_EQ(wait_for(1)[0].token, token(Op::hangup, 9));
  expect_quiet();
}

TEST_P(IoSockets, NoticesThatThePeerIsGone) {
  SocketPair pair = make_socket_pair();
  io_->watch(pair.near.get(), token(Op::hangup));
  expect_quiet();
  reset_socket(pair.far);
  EXPECT_EQ(wait_for(1)[0].token.op, Op::hangup);
}

TEST_P(IoSockets, WritableComesWhenThereIsRoomAndHangupStaysArmed) {
  SocketPair pair = make_socket_pair(8 * 1024, 8 * 1024);
  const std::string text = pattern(1024 * 1024);
  std::size_t sent = 0;
  // Full is full only when the other end has moved what it takes into its own buffer.
  pollfd writable{.fd = pair.near.get(), .events = POLLOUT, .revents = 0};
  do {
    const std::int64_t n = send(pair.near.get(), text);
    if (n > 0) sent += static_cast<std::size_t>(n);
  } while (::poll(&writable, 1, 200) > 0);
  io_->watch(pair.near.get(), token(Op::hangup, 1));
  io_->watch(pair.near.get(), token(Op::writable, 1));
  expect_quiet();
  EXPECT_EQ(read_bytes(pair.far.get(), sent).size(), sent);
  EXPECT_EQ(wait_for(1)[0].token, token(Op::writable, 1));
  expect_quiet();
  EXPECT_GT(send(pair.near.get(), text), 0);
  reset_socket(pair.far);
  EXPECT_EQ(wait_for(1)[0].token, token(Op::hangup, 1));
}

TEST_P(IoSockets, ALeavingPeerCompletesBothWatches) {
  SocketPair pair = make_socket_pair(8 * 1024, 8 * 1024);
  fill(pair.near.get());
  io_->watch(pair.near.get(), token(Op::hangup, 1));
  io_->watch(pair.near.get(), token(Op::writable, 1));
  expect_quiet();
  reset_socket(pair.far);
  const auto done = wait_for(2);
  EXPECT_NE(done[0].token, done[1].token);
  expect_quiet();
}

// What the shard does to close: shut down, join what is armed, close.
TEST_P(IoSockets, ShuttingDownCompletesWhatIsArmed) {
  for (const bool reset : {false, true}) {
    SocketPair pair = make_socket_pair();
    io_->watch(pair.near.get(), token(Op::hangup, 2));
    expect_quiet();
    EXPECT_EQ(send(pair.near.get(), "x"), 1);
    io_->shut_down(pair.near.get(), reset);
    // Before it is closed: a peer may look then.
    char byte = 0;
    EXPECT_EQ(::recv(pair.far.get(), &byte, 1, 0), 1);
    EXPECT_EQ(::recv(pair.far.get(), &byte, 1, 0), reset ? -1 : 0);
    EXPECT_TRUE(!reset || errno == ECONNRESET) << errno;
    EXPECT_EQ(wait_for(1)[0].token, token(Op::hangup, 2));
    io_->close(pair.near.release());
  }
  SocketPair pair = make_socket_pair();
  io_->receive(pair.near.get(), token(Op::receive, 3));
  expect_quiet();
  io_->shut_down(pair.near.get(), false);
  EXPECT_EQ(wait_for(1)[0].token, token(Op::receive, 3));
  io_->close(pair.near.release());
}

// A descriptor's number is used again at once: nothing of its earlier use may come back.
TEST_P(IoSockets, ADescriptorCanBeUsedAgain) {
  int number = -1;
  for (std::uint32_t i = 0; i < 50; ++i) {
    SocketPair pair = make_socket_pair();
    if (number < 0) number = pair.near.get();
    EXPECT_EQ(pair.near.get(), number);
    io_->watch(pair.near.get(), token(Op::hangup, i));
    if (i % 2 == 0) reset_socket(pair.far);
    if (i % 2 != 0) io_->shut_down(pair.near.get(), false);
    EXPECT_EQ(wait_for(1)[0].token, token(Op::hangup, i));
    io_->close(pair.near.release());
  }
  expect_quiet();
}

TEST_P(IoSockets, ShuttingDownSendingLeavesThePeersBytesReadable) {
  SocketPair pair = make_socket_pair();
  EXPECT_EQ(send(pair.near.get(), "bye"), 3);
  io_->shut_down_sending(pair.near.get());
  EXPECT_EQ(read_bytes(pair.far.get(), 100), "bye");
  ASSERT_EQ(::send(pair.far.get(), "still", 5, 0), 5);
  io_->receive(pair.near.get(), token(Op::receive));
  EXPECT_EQ(wait_for(1)[0].data, "still");
}

// Full sockets, broken ones and idle ones in one batch; each result is its own.
TEST_P(IoSockets, ABatchOfSendsReportsEachResult) {
  const std::string text = pattern(1024 * 1024);
  SocketPair idle = make_socket_pair();
  SocketPair small = make_socket_pair(8 * 1024, 8 * 1024);
  SocketPair full = make_socket_pair(8 * 1024, 8 * 1024);
  SocketPair broken = make_socket_pair();
  fill(full.near.get());
  reset_socket(broken.far);
  EXPECT_TRUE(eventually([&] { return send(broken.near.get(), "x") < 0; }));

  const iovec words{.iov_base = const_cast<char*>(text.data()), .iov_len = 1000};
  const std::array<iovec, 3> pieces{{words, {words.iov_base, 10}, {words.iov_base, 1}}};
  const iovec large{.iov_base = const_cast<char*>(text.data()), .iov_len = text.size()};
  std::vector<SendRequest> batch;
  for (std::size_t i = 0; i < limits::kSendBatch; ++i) {
    switch (i % 64) {
      case 20:
        batch.push_back({.fd = full.near.get(), .pieces = {&large, 1}, .bytes = text.size()});
        break;
      case 30:
        batch.push_back({.fd = broken.near.get(), .pieces = pieces, .bytes = 1011});
        break;
      default:
        batch.push_back({.fd = idle.near.get(), .pieces = pieces, .bytes = 1011});
    }
  }
  batch[100] = {.fd = small.near.get(), .pieces = {&large, 1}, .bytes = text.size()};
  io_->send(batch);
  std::size_t idle_bytes = 0;
  for (std::size_t i = 0; i < batch.size(); ++i) {
    const int fd = batch[i].fd;
    if (fd == full.near.get()) {
      EXPECT_EQ(batch[i].result, -EAGAIN) << i;
    } else if (fd == broken.near.get()) {
      EXPECT_THAT(batch[i].result, AnyOf(-EPIPE, -ECONNRESET)) << i;
    } else if (fd == idle.near.get()) {
      EXPECT_EQ(batch[i].result, 1011) << i;
      idle_bytes += 1011;
    }
  }
  EXPECT_GT(batch[100].result, 0);
  EXPECT_LT(batch[100].result, static_cast<std::int64_t>(text.size()));
  EXPECT_EQ(read_bytes(idle.far.get(), idle_bytes).size(), idle_bytes);
  const auto taken = static_cast<std::size_t>(batch[100].result);
  EXPECT_EQ(read_bytes(small.far.get(), taken), text.substr(0, taken));
}

TEST_P(IoSockets, RandomSendsArriveInOrderAndWhole) {
  std::mt19937_64 random(test_seed());
  SocketPair pair = make_socket_pair(16 * 1024, 8 * 1024);
  const std::string text = pattern(3'000'000);
  std::size_t sent = 0;
  std::size_t arrived = 0;
  while (sent < text.size()) {
    const std::size_t size = std::min<std::size_t>(1 + random() % 9000, text.size() - sent);
    const char* at = text.data() + sent;
    const std::size_t cut = random() % (size + 1);
    std::array<iovec, 2> pieces{
        {{const_cast<char*>(at), cut}, {const_cast<char*>(at + cut), size - cut}}};
    SendRequest request{.fd = pair.near.get(), .pieces = pieces, .bytes = size, .result = 0};
    io_->send({&request, 1});
    if (request.result == -EAGAIN) {
      io_->watch(pair.near.get(), token(Op::writable));
      const std::string got = read_bytes(pair.far.get(), sent - arrived);
      ASSERT_EQ(got, text.substr(arrived, sent - arrived));
      arrived = sent;
      wait_for(1);
      continue;
    }
    ASSERT_GE(request.result, 0);
    sent += static_cast<std::size_t>(request.result);
  }
  EXPECT_EQ(read_bytes(pair.far.get(), sent - arrived), text.substr(arrived));
}

TEST_P(IoSockets, WakeEndsAWaitFromAnotherThread) {
  std::atomic<bool> stop{false};
  std::atomic<int> turns{0};
  std::thread shard([&] {
    const auto io = make();
    while (!stop) {
      (void)wait(*io, 60'000);
      ++turns;
    }
  });
  for (int i = 0; i < 100; ++i) {
    const int before = turns;
    io_->wake();  // the same descriptor, whichever object writes it
    EXPECT_TRUE(eventually([&] { return turns > before; })) << i;
    (void)wait(*io_, 0);
  }
  stop = true;
  EXPECT_TRUE(eventually([&] {
    io_->wake();
    return turns > 0;
  }));
  shard.join();
}

TEST_P(IoSockets, AWakeBeforeTheWaitIsNotLost) {
  io_->wake();
  io_->wake();
  const auto start = std::chrono::steady_clock::now();
  EXPECT_THAT(wait(*io_, 30'000), IsEmpty());
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(20));
}

// The kernel may interrupt a wait (a signal, another ring that ends), but not again and again.
TEST_P(IoSockets, WaitsAboutAsLongAsItIsTold) {
  const auto start = std::chrono::steady_clock::now();
  (void)wait(*io_, 0);
  int waits = 0;
  while (std::chrono::steady_clock::now() - start < std::chrono::milliseconds(100)) {
    EXPECT_THAT(wait(*io_, 50), IsEmpty());
    ++waits;
  }
  EXPECT_LE(waits, 5);
}

TEST_P(IoSockets, ConnectionsOfOneClientHaveOneAddress) {
  SocketPair one = make_socket_pair();
  SocketPair other = make_socket_pair();
  EXPECT_TRUE(io_->peer_ip(one.near.get()).is_known());
  EXPECT_EQ(io_->peer_ip(one.near.get()), io_->peer_ip(other.near.get()));
  EXPECT_FALSE(io_->peer_ip(wake_.get()).is_known()) << "not a socket";
}

TEST_P(IoSockets, LimitsTheReceiveBuffer) {
  SocketPair pair = make_socket_pair();
  io_->limit_receive_buffer(pair.near.get(), 8192);
  int value = 0;
  socklen_t size = sizeof(value);
  ASSERT_EQ(::getsockopt(pair.near.get(), SOL_SOCKET, SO_RCVBUF, &value, &size), 0);
  EXPECT_EQ(value, 2 * 8192) << "the kernel doubles it";
}

TEST(Token, SurvivesTheKernel) {
  for (const Op op : {Op::accept, Op::receive, Op::hangup, Op::writable}) {
    const Token token{.op = op, .generation = 0xab'cdef, .slot = 0xfedc'ba98};
    EXPECT_EQ(Token::unpack(token.pack()), token);
  }
  EXPECT_EQ(
      Token::unpack(Token{.op = Op::accept, .generation = 0x1ff'ffff, .slot = 1}.pack()).generation,
      0xff'ffffU);
}

}  // namespace
}  // namespace tocsin::net
