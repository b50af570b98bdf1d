// An io_uring ring as a resource, and the contract of its sends.
#pragma once

#include <cstdint>
#include <memory>

#include <liburing.h>

#include "proto/limits.h"

namespace tocsin::net {

// Set up by, and used from, one thread.
class Ring {
 public:
  // Null with errno set where the kernel refuses: EPERM (kernel.io_uring_disabled, seccomp), EINVAL
  // (older than 6.1), ENOMEM.
  // `completions`: room in its completion queue, for tests fewer than the default.
  [[nodiscard]] static std::unique_ptr<Ring> make(std::uint32_t completions = limits::kCompletions);
  ~Ring();
  Ring(const Ring&) = delete;
  Ring& operator=(const Ring&) = delete;

  [[nodiscard]] io_uring* get() { return &ring_; }
  // A free submission entry; hands the queue over first if it is full.
  [[nodiscard]] io_uring_sqe* entry();
  // Hands over all entries and runs what has completed into the completion queue.
  void submit();

 private:
  Ring() = default;
  io_uring ring_{};
  bool live_ = false;
};

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
