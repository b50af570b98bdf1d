// The epoll backend: for where io_uring is forbidden, and to measure against.
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <utility>

#include "net/io/io.h"
#include "net/io/socket_ops.h"
#include "proto/assert.h"
#include "proto/limits.h"

namespace tocsin::net {
namespace {

constexpr int kMaxEvents = 512;
// Connections taken per listener and turn; the rest stay in the backlog until the next.
constexpr int kMaxAccepts = 256;

// What is armed for a descriptor. epoll knows descriptors, requests are ours; all requests of one
// descriptor come from one slot. 8 bytes, because a stream has one for as long as it lives.
struct Interest {
  static constexpr std::uint32_t kRegistered = 0x80;

  std::uint32_t slot = 0;
  std::uint32_t generation : 24 = 0;
  std::uint32_t armed : 8 = 0;  // bit n: Op n; kRegistered: epoll knows the descriptor

  [[nodiscard]] static constexpr std::uint32_t bit(Op op) {
    return 1U << static_cast<std::uint8_t>(op);
  }
  [[nodiscard]] bool has(Op op) const { return (armed & bit(op)) != 0; }
  [[nodiscard]] bool any() const { return (armed & ~kRegistered) != 0; }
  void arm(Token token) {
    TOCSIN_ASSERT(!has(token.op));
    TOCSIN_ASSERT(!any() || (slot == token.slot && generation == token.generation));
    slot = token.slot;
    generation = token.generation & Token::kGenerationMask;
    armed = (armed | bit(token.op)) & 0xff;
  }
  void disarm(Op op) { armed = armed & ~bit(op) & 0xff; }
  [[nodiscard]] Token token(Op op) const {
    return {.op = op, .generation = generation, .slot = slot};
  }
  [[nodiscard]] std::uint32_t events() const {
    std::uint32_t mask = EPOLLONESHOT;
    if (has(Op::receive) || has(Op::accept)) mask |= EPOLLIN;
    if (has(Op::hangup)) mask |= EPOLLRDHUP;
    if (has(Op::writable)) mask |= EPOLLOUT;
    return mask;
  }
};
static_assert(sizeof(Interest) == 8);
static_assert(Interest::bit(Op::writable) < Interest::kRegistered);

class EpollIo final : public SocketIo {
 public:
  EpollIo(int epoll_fd, int wake_fd) : SocketIo(wake_fd), epoll_(epoll_fd) {
    epoll_event event{.events = EPOLLIN | EPOLLET, .data = {.fd = wake_fd}};
    ::epoll_ctl(epoll_, EPOLL_CTL_ADD, wake_fd, &event);
    buffers_.resize(limits::kReceiveBuffers * limits::kReceiveBuffer);
  }
  ~EpollIo() override { ::close(epoll_); }

  void accept(int listener, Token token) override {
    at(listener).arm(token);
    arm(listener);
  }
  void cancel_accept(int listener) override;
  void receive(int fd, Token token) override {
    at(fd).arm(token);
    arm(fd);
  }
  void watch(int fd, Token token) override {
    at(fd).arm(token);
    arm(fd);
  }
  void send(std::span<SendRequest> requests) override;
  void close(int fd) override {
    TOCSIN_ASSERT(!at(fd).any());
    at(fd) = Interest{};
    ::close(fd);  // the last reference: epoll forgets it
  }
  void wait(std::uint32_t timeout_ms, std::vector<Completion>& completions) override;
  std::string_view name() const override { return "epoll"; }

 private:
  Interest& at(int fd) {
    TOCSIN_DEBUG_ASSERT(fd >= 0);
    const auto index = static_cast<std::size_t>(fd);
    if (index >= interests_.size()) interests_.resize(index + index / 2 + 64);
    return interests_[index];
  }
  void arm(int fd);
  void on_event(const epoll_event& event, std::vector<Completion>& completions);
  void accept_some(int listener, Token token, std::vector<Completion>& completions);
  bool receive_into_buffer(int fd, Token token, std::vector<Completion>& completions);

  const int epoll_;
  std::vector<Interest> interests_;  // by descriptor: a shard's own table is dense
  std::vector<char> buffers_;        // received bytes of this turn
  std::size_t buffered_ = 0;
  std::vector<Completion> failed_;  // could not be armed, or cancelled; returned by the next wait()
};

// One-shot: a fired descriptor is silent until the next arm(), so a request that completed costs no
// call to take it back, and changes of mind are one epoll_ctl each.
void EpollIo::arm(int fd) {
  Interest& interest = at(fd);
  epoll_event event{.events = interest.events(), .data = {.fd = fd}};
  const bool registered = (interest.armed & Interest::kRegistered) != 0;
  const int op = registered ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
  if (::epoll_ctl(epoll_, op, fd, &event) == 0) {
    interest.armed |= Interest::kRegistered;
    return;
  }
  // ENOSPC (fs.epoll.max_user_watches), ENOMEM: everything that was asked for completes with it.
  const int error = -errno;
  for (const Op each : {Op::accept, Op::receive, Op::hangup, Op::writable}) {
    if (!interest.has(each)) continue;
    interest.disarm(each);
    failed_.push_back({.token = interest.token(each), .result = error, .data = {}});
  }
}

// Others may have the same socket: epoll would watch it even when it is closed here.
void EpollIo::cancel_accept(int listener) {
  if (!at(listener).has(Op::accept)) return;
  failed_.push_back({.token = at(listener).token(Op::accept), .result = -ECANCELED, .data = {}});
  at(listener) = Interest{};
  ::epoll_ctl(epoll_, EPOLL_CTL_DEL, listener, nullptr);
}

void EpollIo::send(std::span<SendRequest> requests) {
  for (SendRequest& request : requests) {
    TOCSIN_DEBUG_ASSERT(!request.pieces.empty());
    ssize_t n = 0;
    if (request.pieces.size() == 1) {
      const iovec& piece = request.pieces.front();
      n = ::send(request.fd, piece.iov_base, piece.iov_len, MSG_DONTWAIT | MSG_NOSIGNAL);
    } else {
      msghdr message{};
      message.msg_iov = const_cast<iovec*>(request.pieces.data());
      message.msg_iovlen = request.pieces.size();
      n = ::sendmsg(request.fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    }
    request.result = n >= 0 ? n : -errno;
  }
}

void EpollIo::wait(std::uint32_t timeout_ms, std::vector<Completion>& completions) {
  std::array<epoll_event, kMaxEvents> events;
  buffered_ = 0;
  completions.insert(completions.end(), failed_.begin(), failed_.end());
  const int timeout = failed_.empty() ? static_cast<int>(timeout_ms) : 0;
  failed_.clear();
  const int n = ::epoll_wait(epoll_, events.data(), kMaxEvents, timeout);
  for (int i = 0; i < n; ++i) on_event(events[static_cast<std::size_t>(i)], completions);
}

void EpollIo::on_event(const epoll_event& event, std::vector<Completion>& completions) {
  const int fd = event.data.fd;
  if (fd == wake_fd()) {
    clear_wake();
    return;
  }
  const bool gone = (event.events & (EPOLLERR | EPOLLHUP)) != 0;
  const bool hangup = gone || (event.events & EPOLLRDHUP) != 0;
  if (at(fd).has(Op::accept)) {
    accept_some(fd, at(fd).token(Op::accept), completions);
    return;
  }
  if (at(fd).has(Op::receive) && (hangup || (event.events & EPOLLIN) != 0) &&
      receive_into_buffer(fd, at(fd).token(Op::receive), completions)) {
    at(fd).disarm(Op::receive);
  }
  for (const Op op : {Op::hangup, Op::writable}) {
    // A half-closed peer that does not read is not writable.
    const bool ready = op == Op::hangup ? hangup : gone || (event.events & EPOLLOUT) != 0;
    if (!at(fd).has(op) || !ready) continue;
    at(fd).disarm(op);
    completions.push_back({.token = at(fd).token(op), .result = gone ? -EPIPE : 0, .data = {}});
  }
  if (at(fd).any()) arm(fd);
}

void EpollIo::accept_some(int listener, Token token, std::vector<Completion>& completions) {
  for (int i = 0; i < kMaxAccepts; ++i) {
    const int fd = ::accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
      completions.push_back({.token = token, .result = fd, .data = {}});
      continue;
    }
    if (errno == EAGAIN) break;
    if (errno == ECONNABORTED || errno == EINTR) continue;
    at(listener).disarm(Op::accept);
    completions.push_back({.token = token, .result = -errno, .data = {}});
    return;
  }
  arm(listener);
}

// False: nothing was there after all, or this turn's buffers are full; it stays armed.
bool EpollIo::receive_into_buffer(int fd, Token token, std::vector<Completion>& completions) {
  if (buffered_ + limits::kReceiveBuffer > buffers_.size()) return false;
  const std::span<char> buffer{buffers_.data() + buffered_, limits::kReceiveBuffer};
  const std::int64_t n = receive_some(fd, buffer);
  if (n == -EAGAIN || n == -EINTR) return false;
  const std::size_t size = n > 0 ? static_cast<std::size_t>(n) : 0;
  buffered_ += size;
  TOCSIN_ASSERT(buffered_ <= buffers_.size());
  completions.push_back(
      {.token = token, .result = static_cast<int>(n), .data = buffer.first(size)});
  return true;
}

}  // namespace

std::unique_ptr<Io> make_epoll_io(int wake_fd) {
  const int fd = ::epoll_create1(EPOLL_CLOEXEC);
  if (fd < 0) return nullptr;
  return std::make_unique<EpollIo>(fd, wake_fd);
}

}  // namespace tocsin::net
