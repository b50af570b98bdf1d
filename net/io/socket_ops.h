// The plain system calls that both real backends share.
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <span>
#include <string_view>

#include "net/io/io.h"
#include "proto/assert.h"

namespace tocsin::net {

// Reads what is there: bytes, 0 at the end, or a negative errno.
std::int64_t receive_some(int fd, std::span<char> buffer);
// See Io::wake. From any thread.
void signal_eventfd(int fd);

// A descriptor kept in reserve, given up to take one connection that is to be refused.
class ReserveDescriptor {
 public:
  ReserveDescriptor();
  ~ReserveDescriptor();
  ReserveDescriptor(const ReserveDescriptor&) = delete;
  ReserveDescriptor& operator=(const ReserveDescriptor&) = delete;
  bool refuse(int listener, std::string_view bytes);

 private:
  int fd_;
};

// What a backend does by plain system calls, whatever it waits with.
class SocketIo : public Io {
 public:
  // `wake_fd`: an eventfd that outlives the object.
  explicit SocketIo(int wake_fd) : wake_(wake_fd) { TOCSIN_ASSERT(wake_fd >= 0); }

  bool refuse(int listener, std::string_view bytes) final;
  void send_last(int fd, std::string_view bytes) final;
  std::int64_t receive_now(int fd, std::span<char> buffer) final;
  bool has_unread(int fd) final;
  void limit_receive_buffer(int fd, std::uint32_t bytes) final;
  IpAddress peer_ip(int fd) final;
  bool is_among_last(int fd) final;
  void shut_down_sending(int fd) final;
  void shut_down(int fd, bool reset) final;
  void wake() final { signal_eventfd(wake_); }

 protected:
  [[nodiscard]] int wake_fd() const { return wake_; }
  // Takes what wake() has written.
  void clear_wake() const;

 private:
  const int wake_;
  std::uint64_t descriptor_limit_ = 0;  // RLIMIT_NOFILE when it was last asked for
  ReserveDescriptor reserve_;
};

}  // namespace tocsin::net
