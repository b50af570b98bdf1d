#include "bench/floor/bare_send.h"

#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "tools/base/print.h"

namespace tocsin::bench {
namespace {

constexpr net::RingOptions kRing{.restricted = false};  // else the hub's

// In user_data, above the descriptor.
constexpr std::uint64_t kSend = 1ULL << 32;
constexpr std::uint64_t kReceive = 2ULL << 32;
constexpr std::uint64_t kHangup = 3ULL << 32;
constexpr std::uint64_t kReadable = 4ULL << 32;
constexpr std::uint64_t kKinds = 7ULL << 32;

void set_data(io_uring_sqe* entry, std::uint64_t kind, int fd) {
  entry->user_data = kind | static_cast<std::uint32_t>(fd);
}

}  // namespace

void send_by_loop(std::span<const int> fds, std::string_view data, std::vector<int>& failed) {
  for (const int fd : fds) {
    const ssize_t sent = send(fd, data.data(), data.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent != static_cast<ssize_t>(data.size())) failed.push_back(fd);
  }
}

void RingNews::clear() {
  failed.clear();
  gone.clear();
  received.clear();
  readable = false;
}

BareRing::BareRing(unsigned batch) : ring_(net::Ring::make(kRing)), batch_(batch) {
  if (!usable()) tools::print(stderr, "io_uring cannot be used: {}\n", std::strerror(errno));
}

void BareRing::submit() {
  ring_->submit();
  queued_ = 0;
}

void BareRing::wait() {
  ring_->submit_and_wait(-1);
  queued_ = 0;
}

void BareRing::take(RingNews& news) {
  ring_->take_completions([&](const io_uring_cqe& completion) {
    const int fd = static_cast<int>(static_cast<std::uint32_t>(completion.user_data));
    switch (completion.user_data & kKinds) {
      case kSend:
        news.failed.push_back(fd);
        break;
      case kReceive:
        news.received.push_back({fd, completion.res});
        break;
      case kHangup:
        news.gone.push_back(fd);
        break;
      default:
        news.readable = true;
        break;
    }
  });
}

// The hub's way: WAITALL makes a short send an error instead of a success, so that success needs
// no completion; one system call for each batch.
void BareRing::send(std::span<const int> fds, std::string_view data) {
  for (const int fd : fds) {
    io_uring_sqe* sqe = ring_->entry();
    io_uring_prep_send(sqe, fd, data.data(), data.size(), static_cast<int>(net::kSendFlags));
    sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
    set_data(sqe, kSend, fd);
    if (++queued_ == batch_) submit();
  }
}

void BareRing::receive(int fd, std::span<char> buffer) {
  io_uring_sqe* sqe = ring_->entry();
  io_uring_prep_recv(sqe, fd, buffer.data(), buffer.size(), 0);
  set_data(sqe, kReceive, fd);
}

void BareRing::watch_hangup(int fd) {
  io_uring_sqe* sqe = ring_->entry();
  io_uring_prep_poll_add(sqe, fd, POLLRDHUP);
  set_data(sqe, kHangup, fd);
}

void BareRing::watch_readable(int fd) {
  io_uring_sqe* sqe = ring_->entry();
  io_uring_prep_poll_add(sqe, fd, POLLIN);
  set_data(sqe, kReadable, fd);
}

}  // namespace tocsin::bench
