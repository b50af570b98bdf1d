// The two bare ways to send the same bytes to many sockets: what a hub cannot be cheaper than.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

#include <liburing.h>

namespace tocsin::bench {

// One send(2) for each of `fds`. Indices of those that did not take all of `data` at once are added
// to `failed`.
void send_by_loop(std::span<const int> fds, std::string_view data,
                  std::vector<std::size_t>& failed);

// io_uring SEND in batches, set up as the hub's. One thread makes and uses it.
class RingSender {
 public:
  // `batch`: sends in one system call, 1 to 1024.
  explicit RingSender(unsigned batch);
  ~RingSender();
  RingSender(const RingSender&) = delete;
  RingSender& operator=(const RingSender&) = delete;

  // False: the kernel gives us no ring, and a line on standard error has said why.
  [[nodiscard]] bool usable() const { return usable_; }
  // Like send_by_loop().
  void send(std::span<const int> fds, std::string_view data, std::vector<std::size_t>& failed);

  // An eventfd that is signalled when there are hang-ups to take; -1: the kernel gives none. epoll
  // on the ring's own descriptor sleeps on: with DEFER_TASKRUN a poll that fires does not wake it
  // (seen on 6.18). Only for who watches: it is no part of the bare send. Call it once.
  [[nodiscard]] int open_hangup_signal();
  // A POLL_ADD(POLLRDHUP), as the hub has one for every stream. Submitted with whatever is next.
  void watch_hangup(int fd);
  // Submits, and moves the descriptors whose peer has gone, once each, to `gone`.
  void take_hangups(std::vector<int>& gone);

 private:
  io_uring_sqe* entry();
  void submit();
  void reap(std::vector<std::size_t>* failed);

  io_uring ring_{};
  unsigned batch_;
  bool usable_ = false;
  int signal_ = -1;
  std::vector<int> gone_;
};

}  // namespace tocsin::bench
