// The ring's completion queue is full: the kernel keeps what does not fit, and nothing of it may be
// lost, or taken for the result of something else.
#include <cerrno>
#include <cstring>
#include <set>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/net/support/io_fixture.h"

namespace tocsin::net {
namespace {

constexpr std::uint32_t kRoom = 4;  // completions that fit
constexpr std::size_t kMany = 100;

class UringOverflow : public IoTest {
 protected:
  void SetUp() override {
    io_ = make_uring_io(wake_.get(), kRoom);
    if (!io_) GTEST_SKIP() << "no io_uring here: " << std::strerror(errno);
  }

  // Requests that complete as soon as they are handed over.
  void watch_many(int fd) {
    for (std::uint32_t i = 0; i < kMany; ++i) io_->watch(fd, token(Op::writable, i));
  }
  // Each of them once, and nothing else.
  void expect_many() {
    std::set<std::uint32_t> slots;
    for (const Done& done : wait_for(kMany)) {
      EXPECT_EQ(done.token, token(Op::writable, done.token.slot));
      EXPECT_TRUE(slots.insert(done.token.slot).second) << "twice";
    }
    EXPECT_EQ(*slots.rbegin(), kMany - 1);
    expect_quiet();
  }
};
INSTANTIATE_TEST_SUITE_P(Io, UringOverflow, testing::Values(IoChoice::uring), IoTest::backend_name);

TEST_P(UringOverflow, EveryRequestCompletesOnce) {
  SocketPair pair = make_socket_pair();
  for (int round = 0; round < 3; ++round) {
    watch_many(pair.near.get());
    expect_many();
  }
  io_->wake();
  expect_quiet();
}

// Results of a batch come out behind all that waits in the kernel already.
TEST_P(UringOverflow, SendsReportWhatTheyTook) {
  constexpr std::size_t kSends = 40;
  const std::string text(512 * limits::kKiB, 'x');
  const iovec piece{.iov_base = const_cast<char*>(text.data()), .iov_len = text.size()};
  SocketPair writable = make_socket_pair();
  std::vector<SocketPair> pairs;
  std::vector<SendRequest> requests;
  for (std::size_t i = 0; i < kSends; ++i) {
    pairs.push_back(make_socket_pair(4 * 1024, 4 * 1024));
    requests.push_back(
        {.fd = pairs[i].near.get(), .pieces = {&piece, 1}, .bytes = text.size(), .result = 0});
  }
  watch_many(writable.near.get());
  io_->send(requests);
  for (std::size_t i = 0; i < kSends; ++i) {
    ASSERT_GT(requests[i].result, 0) << i;
    ASSERT_LT(requests[i].result, static_cast<std::int64_t>(text.size())) << i;
    pairs[i].near.reset();
    EXPECT_EQ(read_bytes(pairs[i].far.get(), text.size()).size(), requests[i].result) << i;
  }
  expect_many();
}

TEST_P(UringOverflow, AcceptingGoesOn) {
  TestListener listener;
  std::vector<Fd> clients;
  for (std::size_t i = 0; i < kMany; ++i) clients.push_back(listener.connect());
  io_->accept(listener.fd(), token(Op::accept));
  std::vector<Fd> accepted;
  for (const Done& done : wait_for(kMany)) {
    ASSERT_GE(done.result, 0);
    accepted.emplace_back(done.result);
  }
  const Fd one_more = listener.connect();
  accepted.emplace_back(wait_for(1)[0].result);
  EXPECT_GE(accepted.back().get(), 0);
}

TEST_P(UringOverflow, BytesStayWithTheirConnection) {
  std::vector<SocketPair> pairs;
  for (std::uint32_t i = 0; i < kMany; ++i) {
    pairs.push_back(make_socket_pair());
    const std::string text = std::to_string(i);
    ASSERT_EQ(::send(pairs[i].far.get(), text.data(), text.size(), 0),
              static_cast<ssize_t>(text.size()));
    io_->receive(pairs[i].near.get(), token(Op::receive, i));
  }
  std::set<std::string> all;
  for (const Done& done : wait_for(kMany)) {
    EXPECT_EQ(done.data, std::to_string(done.token.slot));
    all.insert(done.data);
  }
  EXPECT_EQ(all.size(), kMany);
}

}  // namespace
}  // namespace tocsin::net
