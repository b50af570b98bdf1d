// The io_uring backend.
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "net/io/io.h"
#include "net/io/socket_ops.h"
#include "net/io/uring.h"
#include "net/log.h"
#include "proto/assert.h"
#include "proto/limits.h"

namespace tocsin::net {
namespace {

constexpr int kBufferGroup = 0;

// Private completions, beside the ops of Token.
constexpr std::uint64_t kWake = 0xffULL << 56;
constexpr std::uint64_t kSend = 0xfeULL << 56;  // | index in the batch
constexpr std::uint64_t kCancel = 0xfdULL << 56;

// Receive buffers that the kernel picks from (6.1: provided-buffer rings): only a connection that
// has bytes to say holds one, and only until the next turn.
class ReceiveBuffers {
 public:
  // False with errno set where the kernel refuses.
  [[nodiscard]] bool open(Ring& ring) {
    constexpr std::size_t kRingBytes = limits::kReceiveBuffers * sizeof(io_uring_buf);
    void* memory = nullptr;
    if (::posix_memalign(&memory, 4096, kRingBytes) != 0) return false;
    buffers_.reset(static_cast<io_uring_buf_ring*>(memory));
    bytes_ =
        std::make_unique_for_overwrite<char[]>(limits::kReceiveBuffers * limits::kReceiveBuffer);
    io_uring_buf_reg registration{};
    registration.ring_addr = reinterpret_cast<std::uint64_t>(memory);
    registration.ring_entries = limits::kReceiveBuffers;
    registration.bgid = kBufferGroup;
    const int failed = io_uring_register_buf_ring(ring.get(), &registration, 0);
    if (failed != 0) {
      errno = -failed;
      return false;
    }
    io_uring_buf_ring_init(buffers_.get());
    for (std::size_t i = 0; i < limits::kReceiveBuffers; ++i) {
      handed_.push_back(static_cast<std::uint16_t>(i));
    }
    give_back();
    return true;
  }

  [[nodiscard]] std::span<char> take(std::uint16_t id, std::size_t size) {
    TOCSIN_ASSERT(id < limits::kReceiveBuffers && size <= limits::kReceiveBuffer);
    taken_.push_back(id);
    return {at(id), size};
  }

  // What was taken is now the shard's, until the give_back() after this.
  void hand_over() {
    handed_.insert(handed_.end(), taken_.begin(), taken_.end());
    taken_.clear();
  }

  // The shard is done with all that was handed over.
  void give_back() {
    TOCSIN_ASSERT(handed_.size() + taken_.size() <= limits::kReceiveBuffers);  // none twice
    int n = 0;
    for (const std::uint16_t id : handed_) {
      io_uring_buf_ring_add(buffers_.get(), at(id), limits::kReceiveBuffer, id,
                            io_uring_buf_ring_mask(limits::kReceiveBuffers), n++);
    }
    io_uring_buf_ring_advance(buffers_.get(), n);
    handed_.clear();
  }

 private:
  struct Free {
    void operator()(io_uring_buf_ring* memory) const { std::free(memory); }
  };
  [[nodiscard]] char* at(std::uint16_t id) { return &bytes_[id * limits::kReceiveBuffer]; }

  std::unique_ptr<io_uring_buf_ring, Free> buffers_;
  std::unique_ptr<char[]> bytes_;
  std::vector<std::uint16_t> taken_;   // named by a completion that wait() has yet to return
  std::vector<std::uint16_t> handed_;  // named by one that it has returned
};

class UringIo final : public SocketIo {
 public:
  UringIo(std::unique_ptr<Ring> ring, int wake_fd) : SocketIo(wake_fd), ring_(std::move(ring)) {}

  [[nodiscard]] bool open() {
    skip_success_ = send_contract_holds(*ring_);
    if (!skip_success_ && errno != 0) {
      log::warning("io_uring's sends cannot be tried; every send gets a completion",
                   {{"error", std::strerror(errno)}});
    } else if (!skip_success_) {
      log::warning("this kernel's io_uring breaks the send contract; every send gets a completion");
    }
    if (!buffers_.open(*ring_)) return false;
    watch_wake();
    return true;
  }

  void accept(int listener, Token token) override {
    TOCSIN_ASSERT(std::ranges::find(listeners_, token, &Listener::token) == listeners_.end());
    listeners_.push_back({.token = token, .fd = listener});
    prepare_accept(listener, token);
  }
  void cancel_accept(int listener) override;
  void receive(int fd, Token token) override {
    io_uring_sqe* entry = ring_->entry();
    io_uring_prep_recv(entry, fd, nullptr, limits::kReceiveBuffer, 0);
    entry->flags |= IOSQE_BUFFER_SELECT;
    entry->buf_group = kBufferGroup;
    entry->user_data = token.pack();
  }
  void watch(int fd, Token token) override {
    io_uring_sqe* entry = ring_->entry();
    // One-shot: 256 bytes of kernel memory for the life of an idle stream.
    // Writable is POLLOUT alone (errors always come): a half-closed peer that does not read would
    // complete it at once, again and again.
    TOCSIN_ASSERT(token.op == Op::hangup || token.op == Op::writable);
    const unsigned events = token.op == Op::hangup ? POLLRDHUP : POLLOUT;
    io_uring_prep_poll_add(entry, fd, events);
    entry->user_data = token.pack();
  }
  void send(std::span<SendRequest> requests) override;
  void close(int fd) override { ::close(fd); }
  void wait(std::uint32_t timeout_ms, std::vector<Completion>& completions) override;
  std::string_view name() const override { return "io_uring"; }

 private:
  struct Listener {  // that is accepted from
    Token token;
    int fd = -1;
    bool cancelled = false;
  };

  void prepare_accept(int listener, Token token) {
    io_uring_sqe* entry = ring_->entry();
    // The descriptor stays blocking: on a non-blocking one io_uring answers EAGAIN instead of
    // waiting.
    io_uring_prep_multishot_accept(entry, listener, nullptr, nullptr, SOCK_CLOEXEC);
    entry->user_data = token.pack();
  }
  void watch_wake() {
    io_uring_sqe* entry = ring_->entry();
    io_uring_prep_poll_add(entry, wake_fd(), POLLIN);
    entry->user_data = kWake;
  }
  void prepare_send(const SendRequest& request, msghdr& message, std::size_t index);
  // Moves everything from the completion queue: results of `sends` into place, the rest to reaped_.
  void reap(std::span<SendRequest> sends);
  void on_completion(const io_uring_cqe& completion, std::span<SendRequest> sends);
  void on_accept(const io_uring_cqe& completion, Token token);

  const std::unique_ptr<Ring> ring_;
  ReceiveBuffers buffers_;
  std::vector<Listener> listeners_;
  std::vector<Completion> reaped_;  // to be returned by the next wait()
  std::array<msghdr, limits::kSendBatch> messages_{};
  bool skip_success_ = true;
};

void UringIo::prepare_send(const SendRequest& request, msghdr& message, std::size_t index) {
  TOCSIN_DEBUG_ASSERT(!request.pieces.empty());
  io_uring_sqe* entry = ring_->entry();
  if (request.pieces.size() == 1) {  // cheaper for the kernel than a vector of one
    const iovec& piece = request.pieces.front();
    io_uring_prep_send(entry, request.fd, piece.iov_base, piece.iov_len,
                       static_cast<int>(kSendFlags));
  } else {
    message = {};
    message.msg_iov = const_cast<iovec*>(request.pieces.data());
    message.msg_iovlen = request.pieces.size();
    io_uring_prep_sendmsg(entry, request.fd, &message, kSendFlags);
  }
  if (skip_success_) entry->flags |= IOSQE_CQE_SKIP_SUCCESS;
  entry->user_data = kSend | index;
}

void UringIo::send(std::span<SendRequest> requests) {
  TOCSIN_ASSERT(requests.size() <= messages_.size());
  for (std::size_t i = 0; i < requests.size(); ++i) {
    requests[i].result = static_cast<std::int64_t>(requests[i].bytes);
    prepare_send(requests[i], messages_[i], i);
  }
  // Inline: the kernel takes what fits or fails, and never keeps a request (MSG_DONTWAIT). What did
  // not go through whole has its completion in the queue when this returns.
  ring_->submit();
  reap(requests);
}

void UringIo::reap(std::span<SendRequest> sends) {
  ring_->take_completions(
      [&](const io_uring_cqe& completion) { on_completion(completion, sends); });
}

void UringIo::on_completion(const io_uring_cqe& completion, std::span<SendRequest> sends) {
  const std::uint64_t data = completion.user_data;
  if ((data & kWake) == kWake) {
    clear_wake();
    watch_wake();
    return;
  }
  if ((data & kWake) == kCancel) return;  // what it ended says so itself
  if ((data & kWake) == kSend) {
    const auto index = static_cast<std::uint32_t>(data);
    TOCSIN_ASSERT(index < sends.size());
    sends[index].result = completion.res;
    return;
  }
  const Token token = Token::unpack(data);
  if (token.op == Op::accept) return on_accept(completion, token);
  std::span<char> received;
  if ((completion.flags & IORING_CQE_F_BUFFER) != 0) {
    const auto id = static_cast<std::uint16_t>(completion.flags >> IORING_CQE_BUFFER_SHIFT);
    received = buffers_.take(id, static_cast<std::size_t>(std::max(completion.res, 0)));
  }
  reaped_.push_back({.token = token, .result = completion.res, .data = received});
}

void UringIo::cancel_accept(int listener) {
  const auto found = std::ranges::find(listeners_, listener, &Listener::fd);
  if (found == listeners_.end()) return;
  found->cancelled = true;
  io_uring_sqe* entry = ring_->entry();
  io_uring_prep_cancel64(entry, found->token.pack(), 0);
  entry->user_data = kCancel;
}

void UringIo::on_accept(const io_uring_cqe& completion, Token token) {
  const auto listener = std::ranges::find(listeners_, token, &Listener::token);
  TOCSIN_ASSERT(listener != listeners_.end());
  const bool died = completion.res == -ECONNABORTED || completion.res == -EINTR;
  const bool taken = completion.res >= 0;
  const auto report = [&](int result) {
    reaped_.push_back({.token = token, .result = result, .data = {}});
  };
  if (taken) report(completion.res);
  if ((completion.flags & IORING_CQE_F_MORE) != 0) return;
  // The kernel ended the multishot. A connection that died while it waited, or a full completion
  // queue, is no reason to stop.
  if ((taken || died) && !listener->cancelled) {
    prepare_accept(listener->fd, token);
    return;
  }
  // It may have ended by itself while it was being cancelled.
  report(listener->cancelled ? -ECANCELED : completion.res);
  listeners_.erase(listener);
}

void UringIo::wait(std::uint32_t timeout_ms, std::vector<Completion>& completions) {
  buffers_.give_back();
  if (timeout_ms == 0 || !reaped_.empty()) {
    ring_->submit();
  } else {
    ring_->submit_and_wait(static_cast<int>(timeout_ms));
  }
  reap({});
  buffers_.hand_over();
  completions.insert(completions.end(), reaped_.begin(), reaped_.end());
  reaped_.clear();
}

}  // namespace

std::unique_ptr<Io> make_uring_io(int wake_fd, std::uint32_t completions) {
  auto ring = Ring::make({.completions = completions});
  if (!ring) return nullptr;
  auto io = std::make_unique<UringIo>(std::move(ring), wake_fd);
  if (!io->open()) return nullptr;
  return io;
}

}  // namespace tocsin::net
