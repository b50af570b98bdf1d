#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>
#include <vector>

#include <liburing.h>

#include "proto/assert.h"
#include "tools/load/poller_kinds.h"

namespace tocsin::load {
namespace {

constexpr unsigned kSubmissions = 256;
// One event to all streams of a receiver makes each of them ready at once. Overflow is not loss
// (the kernel keeps it), but ends multishot polls, which then have to be armed again.
constexpr unsigned kCompletions = 16'384;
constexpr std::size_t kBuffers = 32;
constexpr std::size_t kReadBytes = std::size_t{64} * 1024;
// What a batch of receives may bring: it is checked after it was copied, so it should still be in
// the cache then.
constexpr std::size_t kBatchBytes = std::size_t{256} * 1024;

// A request is named op:8 | generation:24 | slot:32.
enum class PollOp : std::uint8_t {
  ignored = 0,  // nobody waits for the result
  poll = 1,     // of the token's socket: for POLLOUT once, or for bytes
  receive = 2,  // into the buffer `slot`
  wake = 3,
};

std::uint64_t pack(PollOp op, PollToken token) {
  return (std::uint64_t{static_cast<std::uint8_t>(op)} << 56) |
         (std::uint64_t{token.generation & kGenerationMask} << 32) | token.slot;
}
PollOp op_of(std::uint64_t name) {
  return static_cast<PollOp>(name >> 56);
}
PollToken token_of(std::uint64_t name) {
  return {.slot = static_cast<std::uint32_t>(name),
          .generation = static_cast<std::uint32_t>(name >> 32) & kGenerationMask};
}

// Multishot polls say which sockets are ready; those are then received from in batches, one system
// call for each. Such a poll reports edges, so whatever may not have been read to its end stays in
// the list of ready sockets.
class UringPoller final : public Poller {
 public:
  explicit UringPoller(int wake_fd)
      : wake_fd_(wake_fd), buffers_(kBuffers * (kFront + kReadBytes)) {}
  ~UringPoller() override {
    if (live_) io_uring_queue_exit(&ring_);
  }
  UringPoller(const UringPoller&) = delete;
  UringPoller& operator=(const UringPoller&) = delete;

  // 0, or an errno.
  [[nodiscard]] int open();

  void watch_connect(PollToken token, int fd) override {
    io_uring_sqe* entry = next_entry();
    io_uring_prep_poll_add(entry, fd, POLLOUT);
    entry->user_data = pack(PollOp::poll, token);
  }
  void watch(PollToken token, int fd) override { arm(pack(PollOp::poll, token), fd); }
  // The poll holds the socket: without this, a close would not reach the peer. Not POLL_REMOVE:
  // while an event of a multishot poll waits to be reported, that answers -EALREADY, and the poll
  // stays armed for good (seen on 6.18). ASYNC_CANCEL marks it: its next report is its last.
  void forget(PollToken token, int) override {
    io_uring_sqe* entry = next_entry();
    io_uring_prep_cancel64(entry, pack(PollOp::poll, token), 0);
    entry->flags |= IOSQE_CQE_SKIP_SUCCESS;
    entry->user_data = pack(PollOp::ignored, {});
  }
  void flush() override;
  void wait(int timeout_ms, PollHandler& handler) override;
  [[nodiscard]] std::string_view name() const override { return "io_uring"; }

 private:
  struct Ready {
    PollToken token;
    bool is_ending = false;  // the end is known to follow, and is not reported again
  };
  struct Receive {
    Ready from;
    int result = 0;
  };

  io_uring_sqe* next_entry();
  void arm(std::uint64_t name, int fd);
  void collect(PollHandler& handler);
  void on_poll(const io_uring_cqe& completion, PollHandler& handler);
  void add_ready(Ready ready);
  std::size_t submit_receives(PollHandler& handler);
  void on_receive(const Receive& receive, char* bytes, PollHandler& handler);
  [[nodiscard]] char* buffer(std::size_t index) {
    return buffers_.data() + (index * (kFront + kReadBytes)) + kFront;
  }

  io_uring ring_{};
  bool live_ = false;
  int wake_fd_;
  std::vector<char> buffers_;
  std::array<Receive, kBuffers> receives_{};
  std::size_t receiving_ = 0;           // receives that have not reported
  std::size_t mean_bytes_ = 0;          // of the last receives
  std::vector<PollToken> writable_;     // found by collect()
  std::vector<Ready> ready_;            // to be received from
  std::vector<Ready> now_;              // those of this wait()
  std::size_t at_ = 0;                  // the next of now_
  std::vector<std::uint32_t> waiting_;  // by slot: the generation in ready_, and one; 0: none
};

int UringPoller::open() {
  io_uring_params params{};
  // As in net/io/uring.cc: completions are run when this thread asks, in batches.
  params.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
                 IORING_SETUP_COOP_TASKRUN | IORING_SETUP_SUBMIT_ALL | IORING_SETUP_CQSIZE |
                 IORING_SETUP_CLAMP;
  params.cq_entries = kCompletions;
  if (const int failed = io_uring_queue_init_params(kSubmissions, &ring_, &params); failed != 0) {
    return -failed;
  }
  live_ = true;
  constexpr unsigned kNeeded = IORING_FEAT_NODROP | IORING_FEAT_EXT_ARG | IORING_FEAT_CQE_SKIP;
  if ((params.features & kNeeded) != kNeeded) return EINVAL;
  arm(pack(PollOp::wake, {}), wake_fd_);
  return 0;
}

io_uring_sqe* UringPoller::next_entry() {
  io_uring_sqe* entry = io_uring_get_sqe(&ring_);
  while (entry == nullptr) {
    flush();
    entry = io_uring_get_sqe(&ring_);
  }
  return entry;
}

void UringPoller::flush() {
  do {
    const int n = io_uring_submit_and_get_events(&ring_);
    // EINTR, EAGAIN, EBUSY: memory pressure or a signal; the entries are still queued.
    TOCSIN_ASSERT(n >= 0 || n == -EINTR || n == -EAGAIN || n == -EBUSY);
  } while (io_uring_sq_ready(&ring_) > 0);
}

void UringPoller::arm(std::uint64_t name, int fd) {
  io_uring_sqe* entry = next_entry();
  // POLLRDHUP: an end that arrived together with the last bytes makes no edge of its own.
  io_uring_prep_poll_multishot(entry, fd, POLLIN | POLLRDHUP);
  entry->user_data = name;
}

void UringPoller::wait(int timeout_ms, PollHandler& handler) {
  if (timeout_ms == 0 || !ready_.empty() || !writable_.empty()) {
    flush();
  } else {
    __kernel_timespec timeout{.tv_sec = timeout_ms / 1000,
                              .tv_nsec = (timeout_ms % 1000) * 1'000'000LL};
    io_uring_cqe* first = nullptr;
    const int n = io_uring_submit_and_wait_timeout(&ring_, &first, 1,
                                                   timeout_ms < 0 ? nullptr : &timeout, nullptr);
    TOCSIN_ASSERT(n >= 0 || n == -ETIME || n == -EINTR || n == -EAGAIN || n == -EBUSY);
  }
  collect(handler);
  for (const PollToken token : std::exchange(writable_, {})) {
    if (handler.fd_of(token) >= 0) handler.on_writable(token);
  }
  now_.swap(ready_);
  for (at_ = 0; at_ < now_.size();) {
    const std::size_t count = submit_receives(handler);
    for (std::size_t i = 0; i < count; ++i) on_receive(receives_[i], buffer(i), handler);
  }
  now_.clear();
}

void UringPoller::collect(PollHandler& handler) {
  io_uring_cqe* completion = nullptr;
  while (io_uring_peek_cqe(&ring_, &completion) == 0) {
    const io_uring_cqe done = *completion;
    io_uring_cqe_seen(&ring_, completion);
    switch (op_of(done.user_data)) {
      case PollOp::poll:
        on_poll(done, handler);
        break;
      case PollOp::receive:
        receives_[token_of(done.user_data).slot].result = done.res;
        --receiving_;
        break;
      case PollOp::wake: {
        std::uint64_t count = 0;
        [[maybe_unused]] const ssize_t n = read(wake_fd_, &count, sizeof count);
        if ((done.flags & IORING_CQE_F_MORE) == 0) arm(done.user_data, wake_fd_);
        break;
      }
      case PollOp::ignored:
        break;
    }
  }
}

void UringPoller::on_poll(const io_uring_cqe& completion, PollHandler& handler) {
  const PollToken token = token_of(completion.user_data);
  const int fd = handler.fd_of(token);
  if (fd < 0) return;
  if (completion.res == -ECANCELED) return;  // forgotten, and watched again since
  if (completion.res > 0 && (completion.res & POLLOUT) != 0) {
    writable_.push_back(token);
    return;
  }
  // The kernel ends a multishot poll when it cannot post (overflow, no memory). Arming looks anew,
  // so no edge is lost in between.
  if ((completion.flags & IORING_CQE_F_MORE) == 0) arm(completion.user_data, fd);
  const int ending = POLLRDHUP | POLLHUP | POLLERR;
  add_ready({.token = token, .is_ending = completion.res < 0 || (completion.res & ending) != 0});
}

void UringPoller::add_ready(Ready ready) {
  const std::size_t slot = ready.token.slot;
  if (slot >= waiting_.size()) waiting_.resize(std::max(slot + 1, 2 * waiting_.size()));
  const std::uint32_t mark = ready.token.generation + 1;
  // Several edges of one socket are one receive.
  if (waiting_[slot] == mark && !ready.is_ending) return;
  waiting_[slot] = mark;
  ready_.push_back(ready);
}

std::size_t UringPoller::submit_receives(PollHandler& handler) {
  const std::size_t most =
      std::clamp<std::size_t>(kBatchBytes / std::max<std::size_t>(mean_bytes_, 1), 4, kBuffers);
  std::size_t count = 0;
  for (; at_ < now_.size() && count < most; ++at_) {
    const Ready& ready = now_[at_];
    const int fd = handler.fd_of(ready.token);
    if (fd < 0) continue;
    waiting_[ready.token.slot] = 0;
    receives_[count].from = ready;
    io_uring_sqe* entry = next_entry();
    io_uring_prep_recv(entry, fd, buffer(count), kReadBytes, MSG_DONTWAIT);
    entry->user_data =
        pack(PollOp::receive, {.slot = static_cast<std::uint32_t>(count), .generation = 0});
    ++count;
    ++receiving_;
  }
  // With MSG_DONTWAIT they complete while they are submitted.
  while (receiving_ > 0) {
    flush();
    collect(handler);
  }
  return count;
}

void UringPoller::on_receive(const Receive& receive, char* bytes, PollHandler& handler) {
  const Ready& from = receive.from;
  if (handler.fd_of(from.token) < 0) return;  // closed by a report before this one
  const int got = receive.result;
  if (got == 0) return handler.on_end(from.token, 0);
  if (got < 0) {
    if (got == -EINTR) return add_ready(from);
    if (got != -EAGAIN) handler.on_end(from.token, -got);
    return;
  }
  const auto size = static_cast<std::size_t>(got);
  mean_bytes_ = ((mean_bytes_ * 7) + size) / 8;
  handler.on_bytes(from.token, bytes, size);
  const bool may_have_more = size == kReadBytes || from.is_ending;
  if (may_have_more && handler.fd_of(from.token) >= 0) add_ready(from);
}

}  // namespace

std::expected<std::unique_ptr<Poller>, std::string> make_uring_poller(int wake_fd) {
  auto poller = std::make_unique<UringPoller>(wake_fd);
  if (const int error = poller->open(); error != 0) {
    return std::unexpected(std::string("io_uring: ") + std::strerror(error));
  }
  return poller;
}

}  // namespace tocsin::load
