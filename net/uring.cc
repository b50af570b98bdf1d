#include "net/uring.h"

#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <vector>

#include "proto/assert.h"

namespace tocsin::net {
namespace {

constexpr unsigned kSubmissions = 1024;
// Room for a burst: every entry of the receive ring, a backlog of accepts, hang-ups of a dying
// network. Overflow is not loss (the kernel keeps it) but slow, and it ends multishot requests.
constexpr unsigned kCompletions = 16'384;

// What a send of `size` bytes reported: its completion's result, or -ENODATA if there was none.
int send_and_look(Ring& ring, int fd, const char* bytes, std::size_t size, unsigned flags) {
  io_uring_sqe* entry = ring.entry();
  io_uring_prep_send(entry, fd, bytes, size, static_cast<int>(flags));
  entry->flags |= IOSQE_CQE_SKIP_SUCCESS;
  entry->user_data = 1;
  ring.submit();
  io_uring_cqe* completion = nullptr;
  if (io_uring_peek_cqe(ring.get(), &completion) != 0) return -ENODATA;
  const int result = completion->res;
  io_uring_cqe_seen(ring.get(), completion);
  return result;
}

std::size_t drain(int fd) {
  std::vector<char> buffer(64 * 1024);
  std::size_t total = 0;
  for (;;) {
    const ssize_t n = ::recv(fd, buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (n <= 0) return total;
    total += static_cast<std::size_t>(n);
  }
}

}  // namespace

std::unique_ptr<Ring> Ring::make() {
  std::unique_ptr<Ring> ring{new Ring};
  io_uring_params params{};
  // SINGLE_ISSUER + DEFER_TASKRUN (6.1): completions are run when this thread asks, in batches, and
  // never by an interrupt into the middle of its work. SUBMIT_ALL: one bad entry does not hold back
  // the others. CLAMP: a smaller ring rather than none.
  params.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
                 IORING_SETUP_COOP_TASKRUN | IORING_SETUP_SUBMIT_ALL | IORING_SETUP_CQSIZE |
                 IORING_SETUP_CLAMP;
  params.cq_entries = kCompletions;
  const int failed = io_uring_queue_init_params(kSubmissions, &ring->ring_, &params);
  if (failed != 0) {
    errno = -failed;
    return nullptr;
  }
  ring->live_ = true;
  constexpr unsigned kNeeded = IORING_FEAT_NODROP | IORING_FEAT_EXT_ARG | IORING_FEAT_CQE_SKIP |
                               IORING_FEAT_FAST_POLL | IORING_FEAT_SUBMIT_STABLE;
  if ((params.features & kNeeded) != kNeeded) {
    errno = EINVAL;
    return nullptr;
  }
  // Nothing here may be punted to a kernel worker thread; if something is, then to one, not
  // hundreds.
  std::array<unsigned, 2> workers{1, 1};
  io_uring_register_iowq_max_workers(&ring->ring_, workers.data());
  return ring;
}

Ring::~Ring() {
  if (live_) io_uring_queue_exit(&ring_);
}

io_uring_sqe* Ring::entry() {
  io_uring_sqe* entry = io_uring_get_sqe(&ring_);
  while (entry == nullptr) {
    submit();
    entry = io_uring_get_sqe(&ring_);
  }
  return entry;
}

void Ring::submit() {
  do {
    const int n = io_uring_submit_and_get_events(&ring_);
    // EINTR, EAGAIN, EBUSY: memory pressure or a signal; the entries are still queued. Anything
    // else (EBADR: a completion was lost) means that the state of the ring is unknown.
    TOCSIN_ASSERT(n >= 0 || n == -EINTR || n == -EAGAIN || n == -EBUSY || n == -ETIME);
  } while (io_uring_sq_ready(&ring_) > 0);
}

bool send_contract_holds(Ring& ring, unsigned flags) {
  std::array<int, 2> pair{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair.data()) != 0) return false;
  const std::vector<char> bytes(1024 * 1024, 'x');
  const int small = send_and_look(ring, pair[0], bytes.data(), 100, flags);
  const int partial = send_and_look(ring, pair[0], bytes.data(), bytes.size(), flags);
  const int full = send_and_look(ring, pair[0], bytes.data(), bytes.size(), flags);
  const std::size_t taken = drain(pair[1]);
  const bool holds = small == -ENODATA && partial > 0 &&
                     static_cast<std::size_t>(partial) < bytes.size() && full == -EAGAIN &&
                     taken == 100 + static_cast<std::size_t>(partial);
  ::close(pair[0]);
  ::close(pair[1]);
  return holds;
}

}  // namespace tocsin::net
