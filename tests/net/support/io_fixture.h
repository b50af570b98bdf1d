// A real backend by itself, without a shard above it.
#pragma once

#include <linux/sockios.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "net/io/io.h"
#include "net/server_options.h"
#include "tests/net/support/socket_pair.h"

namespace tocsin::net {

class IoTest : public testing::TestWithParam<IoChoice> {
 public:
  static constexpr std::array kBackends{IoChoice::uring, IoChoice::epoll};
  static std::string backend_name(const testing::TestParamInfo<IoChoice>& info) {
    return info.param == IoChoice::uring ? "uring" : "epoll";
  }

 protected:
  // A completion with its bytes copied: the buffers are the kernel's again at the next wait.
  struct Done {
    Token token;
    int result = 0;
    std::string data;
  };

  IoTest() : wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

  void SetUp() override {
    io_ = make();
    if (!io_) {
      ASSERT_EQ(GetParam(), IoChoice::uring);
      GTEST_SKIP() << "no io_uring here: " << std::strerror(errno);
    }
  }
  void TearDown() override { EXPECT_EQ(io_worker_threads(), 0U); }

  // By the thread that uses it.
  [[nodiscard]] std::unique_ptr<Io> make() const {
    return GetParam() == IoChoice::uring ? make_uring_io(wake_.get()) : make_epoll_io(wake_.get());
  }

  static Token token(Op op, std::uint32_t slot = 0) {
    return {.op = op, .generation = 5, .slot = slot};
  }

  // One wait.
  static std::vector<Done> wait(Io& io, std::uint32_t timeout_ms) {
    std::vector<Completion> completions;
    io.wait(timeout_ms, completions);
    std::vector<Done> result;
    for (const Completion& completion : completions) {
      result.push_back({completion.token, completion.result,
                        std::string(completion.data.begin(), completion.data.end())});
    }
    return result;
  }
  // Waits until there are `count` completions, at most half a minute.
  static std::vector<Done> wait_for(Io& io, std::size_t count) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    std::vector<Done> all;
    while (all.size() < count && std::chrono::steady_clock::now() < end) {
      for (Done& done : wait(io, 100)) all.push_back(std::move(done));
    }
    EXPECT_EQ(all.size(), count);
    all.resize(count);
    return all;
  }
  std::vector<Done> wait_for(std::size_t count) { return wait_for(*io_, count); }
  // Nothing is there, and nothing comes for a while.
  void expect_quiet() { EXPECT_TRUE(wait(*io_, 30).empty()); }

  std::int64_t send(int fd, std::string_view bytes) {
    const iovec piece{.iov_base = const_cast<char*>(bytes.data()), .iov_len = bytes.size()};
    SendRequest request{.fd = fd, .pieces = {&piece, 1}, .bytes = bytes.size(), .result = 0};
    io_->send({&request, 1});
    return request.result;
  }

  // Until nothing more goes in, nor will as long as the peer takes nothing: what is on its way to
  // the peer's buffer would else make room behind us. SIOCOUTQ and SIOCOUTQNSD (linux/sockios.h):
  // bytes that the peer's kernel has not confirmed, and of these the ones not sent yet.
  void fill(int fd) {
    const std::string bytes(1024 * 1024, 'x');
    const auto in_flight = [fd] {
      int unconfirmed = 0;
      int unsent = 0;
      EXPECT_EQ(::ioctl(fd, SIOCOUTQ, &unconfirmed), 0);
      EXPECT_EQ(::ioctl(fd, SIOCOUTQNSD, &unsent), 0);
      return unconfirmed > unsent;
    };
    do {
      while (in_flight()) std::this_thread::yield();
    } while (send(fd, bytes) > 0);
  }

  Fd wake_;
  std::unique_ptr<Io> io_;
};

}  // namespace tocsin::net
