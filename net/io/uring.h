// An io_uring ring as a resource: its set-up, its submit loop and its completions, for the hub, the
// load generator and the bare send loops alike. And the contract of the hub's sends.
#pragma once

#include <cstdint>
#include <memory>

#include <liburing.h>

#include "proto/limits.h"

namespace tocsin::net {

struct RingOptions {
  std::uint32_t submissions = 1024;  // at most as many as completions
  // What does not fit is not lost: it waits in the kernel, but ends multishot requests.
  std::uint32_t completions = limits::kCompletions;
  // The ring can do what the hub needs and nothing else: no file is opened, read or written through
  // it, whatever ends up in a submission entry.
  bool restricted = true;
};

// Set up by, and used from, one thread.
class Ring {
 public:
  // Null with errno set where the kernel refuses: EPERM (kernel.io_uring_disabled, seccomp), EINVAL
  // (older than 6.1), ENOMEM.
  [[nodiscard]] static std::unique_ptr<Ring> make(const RingOptions& options = {});
  ~Ring();
  Ring(const Ring&) = delete;
  Ring& operator=(const Ring&) = delete;

  [[nodiscard]] io_uring* get() { return &ring_; }
  // A free submission entry; hands the queue over first if it is full.
  [[nodiscard]] io_uring_sqe* entry();
  // Hands over all entries and runs what has completed into the completion queue.
  void submit();
  // The same, and waits until something has completed, at most so long; -1: without an end. May
  // return early (a signal).
  void submit_and_wait(int timeout_ms);
  // `use(const io_uring_cqe&)` with each completion, also those that did not fit the queue. It may
  // ask for entries.
  template <typename Use>
  void take_completions(Use&& use);

 private:
  Ring() = default;
  io_uring ring_{};
  bool live_ = false;
};

template <typename Use>
void Ring::take_completions(Use&& use) {
  const auto take_queue = [&] {
    unsigned head = 0;
    unsigned count = 0;
    io_uring_cqe* completion = nullptr;
    io_uring_for_each_cqe(&ring_, head, completion) {
      ++count;
      use(*completion);
    }
    io_uring_cq_advance(&ring_, count);
  };
  // Completions that did not fit the queue wait in the kernel, and those of a batch behind them:
  // all must come out, or a short send would look whole.
  for (take_queue(); io_uring_cq_has_overflow(&ring_); take_queue()) io_uring_get_events(&ring_);
}

// A send that the kernel refuses to wait for: all bytes, or a completion that says how many.
inline constexpr unsigned kSendFlags = MSG_WAITALL | MSG_DONTWAIT | MSG_NOSIGNAL;

// Proves on a socket pair what the hub's order and completeness rest on (kernel behaviour, in no
// manual page): with kSendFlags and IOSQE_CQE_SKIP_SUCCESS a send that was taken whole posts no
// completion, and one that was taken in part posts the partial count. Without MSG_WAITALL a short
// send is a "success", its completion is skipped, and the stream is cut silently; `flags` lets a
// test show that. False: use a completion for every send.
// With errno if it could not be tried (false), else errno is 0.
[[nodiscard]] bool send_contract_holds(Ring& ring, unsigned flags = kSendFlags);

}  // namespace tocsin::net
