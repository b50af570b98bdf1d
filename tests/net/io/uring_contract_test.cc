// What the send path rests on: with kSendFlags and IOSQE_CQE_SKIP_SUCCESS a send reports exactly
// what it took. Without MSG_WAITALL a part is a silent "success".
#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <random>
#include <string>

#include <gtest/gtest.h>

#include "net/io/uring.h"
#include "tests/net/support/descriptor_limit.h"
#include "tests/net/support/socket_pair.h"
#include "tests/net/support/test_client.h"

namespace tocsin::net {
namespace {

constexpr unsigned kWithoutWaitAll = kSendFlags & ~static_cast<unsigned>(MSG_WAITALL);

class UringContract : public testing::Test {
 protected:
  void SetUp() override {
    ring_ = Ring::make();
    if (!ring_) GTEST_SKIP() << "no io_uring here: " << std::strerror(errno);
  }

  // What the send claims: its completion's result, or all of it where there is none.
  long claimed(io_uring_sqe* entry, std::size_t size) {
    entry->flags |= IOSQE_CQE_SKIP_SUCCESS;
    ring_->submit();
    io_uring_cqe* completion = nullptr;
    if (io_uring_peek_cqe(ring_->get(), &completion) != 0) return static_cast<long>(size);
    const long result = completion->res;
    io_uring_cqe_seen(ring_->get(), completion);
    return result;
  }
  long send(int fd, std::string_view bytes, unsigned flags = kSendFlags) {
    io_uring_sqe* entry = ring_->entry();
    io_uring_prep_send(entry, fd, bytes.data(), bytes.size(), static_cast<int>(flags));
    return claimed(entry, bytes.size());
  }
  // In three pieces.
  long sendmsg(int fd, std::string_view bytes) {
    const std::size_t third = bytes.size() / 3;
    std::array<iovec, 3> pieces{};
    for (std::size_t i = 0; i < 3; ++i) {
      const std::string_view piece = bytes.substr(i * third, i == 2 ? bytes.npos : third);
      pieces[i] = {.iov_base = const_cast<char*>(piece.data()), .iov_len = piece.size()};
    }
    msghdr message{};
    message.msg_iov = pieces.data();
    message.msg_iovlen = pieces.size();
    io_uring_sqe* entry = ring_->entry();
    io_uring_prep_sendmsg(entry, fd, &message, kSendFlags);
    return claimed(entry, bytes.size());
  }

  std::unique_ptr<Ring> ring_;
};

// A text in which every stretch of bytes says where it comes from.
std::string numbers(std::size_t size) {
  std::string text;
  for (int i = 0; text.size() < size; ++i) text += std::to_string(i) + ' ';
  text.resize(size);
  return text;
}

TEST_F(UringContract, HoldsWithTheFlagsOfTheSendPath) {
  EXPECT_TRUE(send_contract_holds(*ring_));
}

TEST_F(UringContract, WithoutDescriptorsNobodyKnows) {
  const DescriptorLimit none(0);
  EXPECT_FALSE(send_contract_holds(*ring_));
  EXPECT_EQ(errno, EMFILE);
}

TEST_F(UringContract, IsBrokenWithoutWaitAll) {
  EXPECT_FALSE(send_contract_holds(*ring_, kWithoutWaitAll));
  EXPECT_EQ(errno, 0);
  EXPECT_NE(kSendFlags, kWithoutWaitAll) << "kSendFlags has lost MSG_WAITALL";
}

// The fault itself, on TCP: the send claims everything, and the stream is cut.
TEST_F(UringContract, WithoutWaitAllAShortSendIsSilent) {
  SocketPair pair = make_socket_pair(8 * 1024, 8 * 1024);
  const std::string text = numbers(8 * 1024 * 1024);
  EXPECT_EQ(send(pair.near.get(), text, kWithoutWaitAll), static_cast<long>(text.size()));
  pair.near.reset();
  EXPECT_LT(read_bytes(pair.far.get(), text.size()).size(), text.size());
}

// Fills the socket again and again, from every fill level that comes up, with sends of all sizes.
TEST_F(UringContract, WhatIsReportedIsWhatArrives) {
  std::mt19937_64 random(test_seed());
  SocketPair pair = make_socket_pair(8 * 1024, 8 * 1024);
  const std::string text = numbers(4 * 1024 * 1024);
  std::size_t sent = 0;
  std::size_t arrived = 0;
  std::size_t partial = 0;
  for (int round = 0; round < 200; ++round) {
    for (;;) {
      const std::size_t size = 1 + random() % (1ULL << (random() % 17));
      const std::string_view piece = std::string_view(text).substr(sent % (text.size() / 2), size);
      const long n =
          round % 2 == 0 ? send(pair.near.get(), piece) : sendmsg(pair.near.get(), piece);
      if (n == -EAGAIN) break;
      ASSERT_GT(n, 0) << std::strerror(static_cast<int>(-n));
      partial += static_cast<std::size_t>(n) < piece.size() ? 1U : 0U;
      sent += static_cast<std::size_t>(n);
    }
    // Not always all of it: the next round starts with a socket that is partly full.
    const std::size_t wanted = sent - arrived - (round % 3 == 0 ? (sent - arrived) / 2 : 0);
    const std::string got = read_bytes(pair.far.get(), wanted);
    ASSERT_EQ(got.size(), wanted) << "a send took less than it said";
    arrived += got.size();
  }
  EXPECT_GT(partial, 10U) << "the test has not met what it is about";
  pair.near.reset();
  EXPECT_EQ(read_bytes(pair.far.get(), text.size()).size(), sent - arrived);
}

// The bytes, not only their number, at every offset of a socket's last free bytes.
TEST_F(UringContract, ASendThatIsCutContinuesAtTheRightByte) {
  for (std::size_t offset = 0; offset < 300; offset += 7) {
    SocketPair pair = make_socket_pair(4 * 1024, 4 * 1024);
    const std::string text = numbers(512 * 1024);
    const long before =
        offset == 0 ? 0 : send(pair.near.get(), std::string_view(text).substr(0, offset));
    ASSERT_EQ(before, static_cast<long>(offset));
    const std::string_view rest = std::string_view(text).substr(offset);
    const long n = offset % 2 == 0 ? send(pair.near.get(), rest) : sendmsg(pair.near.get(), rest);
    ASSERT_GT(n, 0);
    ASSERT_LT(n, static_cast<long>(rest.size()));
    const std::size_t taken = offset + static_cast<std::size_t>(n);
    pair.near.reset();
    EXPECT_EQ(read_bytes(pair.far.get(), text.size()), text.substr(0, taken))
        << "offset " << offset;
  }
}

TEST_F(UringContract, ErrorsAreReported) {
  SocketPair pair = make_socket_pair();
  reset_socket(pair.far);
  // The first may still be taken, depending on when the RST arrives.
  EXPECT_TRUE(eventually([&] {
    const long n = send(pair.near.get(), "x");
    return n == -EPIPE || n == -ECONNRESET;
  }));
}

TEST_F(UringContract, NothingIsLeftToWorkerThreads) {
  for (int i = 0; i < 20; ++i) {
    SocketPair pair = make_socket_pair(4 * 1024, 4 * 1024);
    const std::string text = numbers(256 * 1024);
    for (int j = 0; j < 20; ++j) (void)send(pair.near.get(), text);
  }
  EXPECT_EQ(io_worker_threads(), 0U);
}

}  // namespace
}  // namespace tocsin::net
