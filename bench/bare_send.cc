#include "bench/bare_send.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "tools/print.h"

namespace tocsin::bench {
namespace {

constexpr unsigned kSubmissions = 1024;
constexpr unsigned kCompletions = 16'384;
constexpr std::uint64_t kHangup = 1ULL << 56;  // | descriptor; a send has its index

}  // namespace

void send_by_loop(std::span<const int> fds, std::string_view data,
                  std::vector<std::size_t>& failed) {
  for (std::size_t i = 0; i < fds.size(); ++i) {
    const ssize_t sent = send(fds[i], data.data(), data.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent != static_cast<ssize_t>(data.size())) failed.push_back(i);
  }
}

RingSender::RingSender(unsigned batch) : batch_(batch) {
  io_uring_params params{};
  params.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
                 IORING_SETUP_COOP_TASKRUN | IORING_SETUP_SUBMIT_ALL | IORING_SETUP_CQSIZE |
                 IORING_SETUP_CLAMP;
  params.cq_entries = kCompletions;
  const int result = io_uring_queue_init_params(kSubmissions, &ring_, &params);
  usable_ = result == 0;
  if (!usable_) tools::print(stderr, "io_uring cannot be used: {}\n", std::strerror(-result));
}

RingSender::~RingSender() {
  if (usable_) io_uring_queue_exit(&ring_);
  if (signal_ >= 0) close(signal_);
}

io_uring_sqe* RingSender::entry() {
  io_uring_sqe* entry = io_uring_get_sqe(&ring_);
  while (entry == nullptr) {
    submit();
    entry = io_uring_get_sqe(&ring_);
  }
  return entry;
}

void RingSender::submit() {
  do {
    const int result = io_uring_submit_and_get_events(&ring_);
    if (result < 0 && result != -EINTR && result != -EAGAIN && result != -EBUSY) {
      tools::print(stderr, "io_uring_submit: {}\n", std::strerror(-result));
      std::exit(1);
    }
  } while (io_uring_sq_ready(&ring_) > 0);
}

void RingSender::reap(std::vector<std::size_t>* failed) {
  unsigned head = 0;
  unsigned count = 0;
  io_uring_cqe* completion = nullptr;
  io_uring_for_each_cqe(&ring_, head, completion) {
    ++count;
    if ((completion->user_data & kHangup) != 0) {
      gone_.push_back(static_cast<int>(completion->user_data & ~kHangup));
    } else if (failed != nullptr) {
      failed->push_back(completion->user_data);
    }
  }
  io_uring_cq_advance(&ring_, count);
}

// The hub's way: WAITALL makes a short send an error instead of a success, so that success needs
// no completion; one system call for each batch.
void RingSender::send(std::span<const int> fds, std::string_view data,
                      std::vector<std::size_t>& failed) {
  for (std::size_t i = 0; i < fds.size(); ++i) {
    io_uring_sqe* sqe = entry();
    io_uring_prep_send(sqe, fds[i], data.data(), data.size(),
                       MSG_WAITALL | MSG_DONTWAIT | MSG_NOSIGNAL);
    sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
    sqe->user_data = i;
    if ((i + 1) % batch_ != 0 && i + 1 != fds.size()) continue;
    submit();
    reap(&failed);
  }
}

int RingSender::open_hangup_signal() {
  signal_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (signal_ < 0 || io_uring_register_eventfd(&ring_, signal_) != 0) return -1;
  return signal_;
}

void RingSender::watch_hangup(int fd) {
  io_uring_sqe* sqe = entry();
  io_uring_prep_poll_add(sqe, fd, POLLRDHUP);
  sqe->user_data = kHangup | static_cast<std::uint64_t>(fd);
}

void RingSender::take_hangups(std::vector<int>& gone) {
  submit();
  reap(nullptr);
  gone.insert(gone.end(), gone_.begin(), gone_.end());
  gone_.clear();
}

}  // namespace tocsin::bench
