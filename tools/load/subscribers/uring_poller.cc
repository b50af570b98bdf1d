#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>
#include <vector>

#include "net/io/uring.h"
#include "proto/assert.h"
#include "tools/load/subscribers/poller_kinds.h"

namespace tocsin::load {
namespace {

// One event to all streams of a receiver makes each of them ready at once; polls that overflow the
// queue of completions have to be armed again, so it is as large as the hub's.
constexpr net::RingOptions kRing{.submissions = 256, .restricted = false};
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
  UringPoller(std::unique_ptr<net::Ring> ring, int wake_fd)
      : ring_(std::move(ring)), wake_fd_(wake_fd), buffers_(kBuffers * (kFront + kReadBytes)) {
    arm(pack(PollOp::wake, {}), wake_fd_);
  }

  void watch_connect(PollToken token, int fd) override {
    io_uring_sqe* entry = ring_->entry();
    io_uring_prep_poll_add(entry, fd, POLLOUT);
    entry->user_data = pack(PollOp::poll, token);
  }
  void watch(PollToken token, int fd) override { arm(pack(PollOp::poll, token), fd); }
  // The poll holds the socket: without this, a close would not reach the peer. Not POLL_REMOVE:
  // while an event of a multishot poll waits to be reported, that answers -EALREADY, and the poll
  // stays armed for good (seen on 6.18). ASYNC_CANCEL marks it: its next report is its last.
  void forget(PollToken token, int) override {
    io_uring_sqe* entry = ring_->entry();
    io_uring_prep_cancel64(entry, pack(PollOp::poll, token), 0);
    entry->flags |= IOSQE_CQE_SKIP_SUCCESS;
    entry->user_data = pack(PollOp::ignored, {});
  }
  void flush() override { ring_->submit(); }
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

  void arm(std::uint64_t name, int fd);
  void collect(PollHandler& handler);
  void on_completion(const io_uring_cqe& done, PollHandler& handler);
  void on_poll(const io_uring_cqe& completion, PollHandler& handler);
  void add_ready(Ready ready);
  std::size_t submit_receives(PollHandler& handler);
  void on_receive(const Receive& receive, char* bytes, PollHandler& handler);
  [[nodiscard]] char* buffer(std::size_t index) {
    return buffers_.data() + (index * (kFront + kReadBytes)) + kFront;
  }

  const std::unique_ptr<net::Ring> ring_;
  const int wake_fd_;
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

void UringPoller::arm(std::uint64_t name, int fd) {
  io_uring_sqe* entry = ring_->entry();
  // POLLRDHUP: an end that arrived together with the last bytes makes no edge of its own.
  io_uring_prep_poll_multishot(entry, fd, POLLIN | POLLRDHUP);
  entry->user_data = name;
}

void UringPoller::wait(int timeout_ms, PollHandler& handler) {
  if (timeout_ms == 0 || !ready_.empty() || !writable_.empty()) {
    flush();
  } else {
    ring_->submit_and_wait(timeout_ms);
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
  ring_->take_completions(
      [&](const io_uring_cqe& completion) { on_completion(completion, handler); });
}

void UringPoller::on_completion(const io_uring_cqe& done, PollHandler& handler) {
  switch (op_of(done.user_data)) {
    case PollOp::poll:
      on_poll(done, handler);
      break;
    case PollOp::receive:
      TOCSIN_ASSERT(receiving_ > 0);
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
    io_uring_sqe* entry = ring_->entry();
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
  auto ring = net::Ring::make(kRing);
  if (!ring) return std::unexpected(std::string("io_uring: ") + std::strerror(errno));
  return std::make_unique<UringPoller>(std::move(ring), wake_fd);
}

}  // namespace tocsin::load
