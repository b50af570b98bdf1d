#include "net/io/socket_ops.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "proto/assert.h"
#include "proto/limits.h"
#include "proto/text/wipe.h"

namespace tocsin::net {

std::int64_t receive_some(int fd, std::span<char> buffer) {
  TOCSIN_ASSERT(!buffer.empty());  // of an empty one 0 would not mean the end
  const ssize_t n = ::recv(fd, buffer.data(), buffer.size(), MSG_DONTWAIT);
  return n >= 0 ? n : -errno;
}

void signal_eventfd(int fd) {
  const std::uint64_t one = 1;
  // Fails only when the counter is full, and then the reader is awake anyway.
  [[maybe_unused]] const ssize_t n = ::write(fd, &one, sizeof(one));
}

namespace {

void send_and_finish(int fd, std::string_view bytes) {
  [[maybe_unused]] const ssize_t n =
      ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  ::shutdown(fd, SHUT_WR);
}

}  // namespace

ReserveDescriptor::ReserveDescriptor() : fd_(::open("/dev/null", O_RDONLY | O_CLOEXEC)) {}

ReserveDescriptor::~ReserveDescriptor() {
  if (fd_ >= 0) ::close(fd_);
}

bool ReserveDescriptor::refuse(int listener, std::string_view bytes) {
  if (fd_ >= 0) ::close(fd_);
  const int fd = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (fd >= 0) {
    send_and_finish(fd, bytes);
    // Take what the request has so far: closing on unread bytes resets, and the answer is lost.
    std::array<char, 4096> scratch;
    while (receive_some(fd, scratch) > 0) {
    }
    proto::wipe(scratch);  // it may be a credential
    ::close(fd);
  }
  fd_ = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  return fd >= 0;
}

bool SocketIo::refuse(int listener, std::string_view bytes) {
  return reserve_.refuse(listener, bytes);
}

void SocketIo::send_last(int fd, std::string_view bytes) {
  send_and_finish(fd, bytes);
}

bool SocketIo::has_unread(int fd) {
  int bytes = 0;
  return ::ioctl(fd, FIONREAD, &bytes) == 0 && bytes > 0;
}

bool SocketIo::is_among_last(int fd) {
  const auto number = static_cast<std::uint64_t>(fd);
  const auto among_last = [&] {
    return number + limits::request_descriptors(descriptor_limit_) >= descriptor_limit_;
  };
  if (!among_last()) return false;
  rlimit limit{};  // it may have been raised since
  if (::getrlimit(RLIMIT_NOFILE, &limit) == 0) descriptor_limit_ = limit.rlim_cur;
  return among_last();
}

std::int64_t SocketIo::receive_now(int fd, std::span<char> buffer) {
  return receive_some(fd, buffer);
}

void SocketIo::limit_receive_buffer(int fd, std::uint32_t bytes) {
  const int value = static_cast<int>(bytes);
  ::setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &value, sizeof(value));
}

IpAddress SocketIo::peer_ip(int fd) {
  sockaddr_storage storage{};
  socklen_t size = sizeof(storage);
  if (::getpeername(fd, reinterpret_cast<sockaddr*>(&storage), &size) != 0) return {};
  return IpAddress(storage);
}

void SocketIo::shut_down_sending(int fd) {
  ::shutdown(fd, SHUT_WR);
}

void SocketIo::shut_down(int fd, bool reset) {
  if (reset) {
    // At once, and not behind a FIN, which a peer that has read everything would take for a proper
    // end: what connect(2) calls dissolving an association. Unsent bytes of a peer that does not
    // read would stay in the kernel for minutes.
    const sockaddr nobody{.sa_family = AF_UNSPEC, .sa_data = {}};
    if (::connect(fd, &nobody, sizeof(nobody)) == 0) return;
    const linger option{.l_onoff = 1, .l_linger = 0};
    ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &option, sizeof(option));
  }
  ::shutdown(fd, SHUT_RDWR);
}

void SocketIo::clear_wake() const {
  std::uint64_t count = 0;
  [[maybe_unused]] const ssize_t n = ::read(wake_, &count, sizeof(count));
}

}  // namespace tocsin::net
