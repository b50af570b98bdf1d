// The kernel as a shard sees it: one narrow interface, three implementations (io_uring, epoll, and
// the seeded fake kernel of tests/sim). The state machines above it are the same for all.
//
// Requests are one-shot and complete once, through wait(); sends are the exception: they are handed
// over in a batch and their results are there when the call returns, because a send that would
// block is not waited for but reported (see SendRequest). So no send is ever in flight between two
// calls, and memory that a send names need only live until send() returns (I5).
//
// Threads: everything but wake() belongs to the shard's thread, which must also construct the
// object (an io_uring ring has one issuer, and descriptors are those of the thread's own table).
#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "net/base/ip_address.h"
#include "proto/limits.h"

namespace tocsin::net {

enum class Op : std::uint8_t {
  none,
  accept,    // result: a descriptor
  receive,   // result: bytes (0: end of stream), with `data`
  hangup,    // the peer has gone, or shut down its sending side
  writable,  // there is room in the socket's buffer, or the peer has gone
};

// Names a request and the connection slot that made it. A completion whose generation is not the
// slot's is stale and dropped (I10).
struct Token {
  Op op = Op::none;
  std::uint32_t generation = 0;  // 24 bits
  std::uint32_t slot = 0;

  static constexpr std::uint32_t kGenerationMask = 0xff'ffff;

  [[nodiscard]] constexpr std::uint64_t pack() const {
    return std::uint64_t{static_cast<std::uint8_t>(op)} << 56 |
           std::uint64_t{generation & kGenerationMask} << 32 | slot;
  }
  [[nodiscard]] static constexpr Token unpack(std::uint64_t bits) {
    return {static_cast<Op>(bits >> 56), static_cast<std::uint32_t>(bits >> 32) & kGenerationMask,
            static_cast<std::uint32_t>(bits)};
  }
  friend constexpr bool operator==(const Token&, const Token&) = default;
};

struct Completion {
  Token token;
  int result = 0;              // >= 0, or a negative errno
  std::span<char> data;  // received bytes, valid until the next wait(); whoever had them wipes them
};

// One send: the pieces in order. `result` is the number of bytes that the kernel took (all of them
// unless the socket's buffer is full), or a negative errno: -EAGAIN when it took none.
struct SendRequest {
  int fd = -1;
  std::span<const iovec> pieces;
  std::size_t bytes = 0;  // sum of the pieces
  std::int64_t result = 0;
};

class Io {
 public:
  virtual ~Io() = default;

  // Accepts from `listener` until the first failure; each connection is a completion. After a
  // negative result accepting has stopped and may be asked for again.
  virtual void accept(int listener, Token token) = 0;
  // Takes nobody any more: accepting fails with -ECANCELED, behind the connections that were taken
  // by then. The socket goes on listening: others who have it may accept from it, and until then
  // whoever connects waits in it. Where accepting has failed already that failure stands.
  virtual void cancel_accept(int listener) = 0;
  // Refuses one waiting connection with `bytes` when there is no descriptor left for it (EMFILE),
  // using the one that is held in reserve. False: none was waiting.
  virtual bool refuse(int listener, std::string_view bytes) = 0;

  virtual void receive(int fd, Token token) = 0;
  // token.op: hangup or writable. Both may be armed at once for a descriptor.
  virtual void watch(int fd, Token token) = 0;
  virtual void send(std::span<SendRequest> requests) = 0;
  // For an answer that ends a connection at once: sends what the socket takes of `bytes`, and no
  // more after that. What does not fit is lost.
  virtual void send_last(int fd, std::string_view bytes) = 0;
  // What is there now, without waiting: bytes, 0 at the end of the stream, or a negative errno.
  virtual std::int64_t receive_now(int fd, std::span<char> buffer) = 0;

  // Whether bytes have arrived that no completion has brought yet.
  virtual bool has_unread(int fd) = 0;

  // A stream's client has nothing more to say: bounds what it can make the kernel hold.
  virtual void limit_receive_buffer(int fd, std::uint32_t bytes) = 0;
  // Whom a connection is from.
  virtual IpAddress peer_ip(int fd) = 0;
  // Whether `fd` is among the last limits::kRequestDescriptors that there can be.
  virtual bool is_among_last(int fd) = 0;
  // No more sending; the peer reads to the end of what was sent.
  virtual void shut_down_sending(int fd) = 0;
  // Both directions, with `reset` by RST, so that nothing lingers and no peer takes it for an end
  // of what was sent; completes what is armed.
  virtual void shut_down(int fd, bool reset) = 0;
  // Nothing is armed for it any more; a backend that can tell asserts it.
  virtual void close(int fd) = 0;

  // Hands over what was asked for, and waits up to `timeout_ms` for a completion (or wake());
  // appends all that are there. Returns without waiting where some already are.
  virtual void wait(std::uint32_t timeout_ms, std::vector<Completion>& completions) = 0;
  // Ends the shard's wait(), now or the next one. From any thread.
  virtual void wake() = 0;

  [[nodiscard]] virtual std::string_view name() const = 0;
};

// Made by the thread that uses it. `wake_fd`: an eventfd that outlives the object. Null with errno
// set where the kernel refuses (io_uring forbidden or too old). `completions`: see RingOptions.
[[nodiscard]] std::unique_ptr<Io> make_uring_io(int wake_fd,
                                                std::uint32_t completions = limits::kCompletions);
[[nodiscard]] std::unique_ptr<Io> make_epoll_io(int wake_fd);

}  // namespace tocsin::net
