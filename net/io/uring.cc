#include "net/io/uring.h"

#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <vector>

#include "proto/assert.h"

namespace tocsin::net {
namespace {

// What a send of `size` bytes reported: its completion's result, or -ENODATA if there was none.
int send_and_look(Ring& ring, int fd, const char* bytes, std::size_t size, int pieces,
                  unsigned flags) {
  io_uring_sqe* entry = ring.entry();
  std::array<iovec, 2> halves{};
  msghdr message{};
  if (pieces == 1) {
    io_uring_prep_send(entry, fd, bytes, size, static_cast<int>(flags));
  } else {
    halves[0] = {.iov_base = const_cast<char*>(bytes), .iov_len = size / 2};
    halves[1] = {.iov_base = const_cast<char*>(bytes) + size / 2, .iov_len = size - size / 2};
    message.msg_iov = halves.data();
    message.msg_iovlen = halves.size();
    io_uring_prep_sendmsg(entry, fd, &message, flags);
  }
  entry->flags |= IOSQE_CQE_SKIP_SUCCESS;
  entry->user_data = 1;
  ring.submit();
  io_uring_cqe* completion = nullptr;
  if (io_uring_peek_cqe(ring.get(), &completion) != 0) return -ENODATA;
  const int result = completion->res;
  io_uring_cqe_seen(ring.get(), completion);
  return result;
}

// liburing 2.3 declares io_uring_register_restrictions() and io_uring_enable_rings() but its
// library does not export them.
int register_with(const io_uring* ring, unsigned opcode, const void* argument, std::size_t count) {
  const long n = ::syscall(SYS_io_uring_register, ring->ring_fd, opcode, argument, count);
  return n < 0 ? -errno : static_cast<int>(n);
}

// See RingOptions::restricted. Must come before the ring is enabled.
int restrict_ring(io_uring* ring) {
  std::vector<io_uring_restriction> rules;
  for (const std::uint8_t op : {IORING_OP_ACCEPT, IORING_OP_ASYNC_CANCEL, IORING_OP_RECV,
                                IORING_OP_SEND, IORING_OP_SENDMSG, IORING_OP_POLL_ADD}) {
    io_uring_restriction rule{};
    rule.opcode = IORING_RESTRICTION_SQE_OP;
    rule.sqe_op = op;
    rules.push_back(rule);
  }
  io_uring_restriction flags{};
  flags.opcode = IORING_RESTRICTION_SQE_FLAGS_ALLOWED;
  flags.sqe_flags = IOSQE_CQE_SKIP_SUCCESS | IOSQE_BUFFER_SELECT;
  rules.push_back(flags);
  io_uring_restriction buffers{};
  buffers.opcode = IORING_RESTRICTION_REGISTER_OP;
  buffers.register_op = IORING_REGISTER_PBUF_RING;
  rules.push_back(buffers);
  return register_with(ring, IORING_REGISTER_RESTRICTIONS, rules.data(), rules.size());
}

std::size_t drain(int fd) {
  std::vector<char> buffer(std::size_t{64} * 1024);
  std::size_t total = 0;
  for (;;) {
    const ssize_t n = ::recv(fd, buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (n <= 0) return total;
    total += static_cast<std::size_t>(n);
  }
}

}  // namespace

std::unique_ptr<Ring> Ring::make(const RingOptions& options) {
  TOCSIN_ASSERT(options.submissions > 0 && options.completions > 0);
  std::unique_ptr<Ring> ring{new Ring};
  io_uring_params params{};
  // SINGLE_ISSUER + DEFER_TASKRUN (6.1): completions are run when this thread asks, in batches, and
  // never by an interrupt into the middle of its work. SUBMIT_ALL: one bad entry does not hold back
  // the others. CLAMP: a smaller ring rather than none.
  params.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
                 IORING_SETUP_COOP_TASKRUN | IORING_SETUP_SUBMIT_ALL | IORING_SETUP_CQSIZE |
                 IORING_SETUP_CLAMP;
  if (options.restricted) params.flags |= IORING_SETUP_R_DISABLED;
  params.cq_entries = options.completions;
  const int failed = io_uring_queue_init_params(std::min(options.submissions, options.completions),
                                                &ring->ring_, &params);
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
  if (!options.restricted) return ring;
  int refused = restrict_ring(&ring->ring_);
  // From here on this thread is the ring's one issuer.
  if (refused == 0) {
    refused = register_with(&ring->ring_, IORING_REGISTER_ENABLE_RINGS, nullptr, 0);
  }
  if (refused != 0) {
    errno = -refused;
    return nullptr;
  }
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

void Ring::submit_and_wait(int timeout_ms) {
  TOCSIN_ASSERT(timeout_ms >= -1);
  __kernel_timespec timeout{.tv_sec = timeout_ms / 1000,
                            .tv_nsec = static_cast<long long>(timeout_ms % 1000) * 1'000'000};
  io_uring_cqe* first = nullptr;
  const int n = io_uring_submit_and_wait_timeout(&ring_, &first, 1,
                                                 timeout_ms < 0 ? nullptr : &timeout, nullptr);
  TOCSIN_ASSERT(n >= 0 || n == -ETIME || n == -EINTR || n == -EAGAIN || n == -EBUSY);
}

bool send_contract_holds(Ring& ring, unsigned flags) {
  errno = 0;
  const std::vector<char> bytes(std::size_t{1024} * 1024, 'x');
  for (const int pieces : {1, 2}) {  // SEND and SENDMSG
    std::array<int, 2> pair{};
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair.data()) != 0) return false;
    const int small = send_and_look(ring, pair[0], bytes.data(), 100, pieces, flags);
    const int partial = send_and_look(ring, pair[0], bytes.data(), bytes.size(), pieces, flags);
    const int full = send_and_look(ring, pair[0], bytes.data(), bytes.size(), pieces, flags);
    const std::size_t taken = drain(pair[1]);
    ::close(pair[0]);
    ::close(pair[1]);
    errno = 0;
    const bool holds = small == -ENODATA && partial > 0 &&
                       static_cast<std::size_t>(partial) < bytes.size() && full == -EAGAIN &&
                       taken == 100 + static_cast<std::size_t>(partial);
    if (!holds) return false;
  }
  return true;
}

}  // namespace tocsin::net
