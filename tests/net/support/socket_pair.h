// TCP over loopback between two descriptors, with small buffers so that a test fills them quickly.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace tocsin::net {

// An owned descriptor.
class Fd {
 public:
  explicit Fd(int fd = -1) : fd_(fd) {}
  ~Fd() { reset(); }
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    reset();
    fd_ = std::exchange(other.fd_, -1);
    return *this;
  }
  [[nodiscard]] int get() const { return fd_; }
  int release() { return std::exchange(fd_, -1); }
  void reset() {
    if (fd_ >= 0) ::close(release());
  }

 private:
  int fd_;
};

// Listens on a free port of 127.0.0.1.
class TestListener {
 public:
  explicit TestListener(int send_buffer = 0)
      : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) {
    // Inherited by what is accepted.
    if (send_buffer > 0) {
      ::setsockopt(fd_.get(), SOL_SOCKET, SO_SNDBUF, &send_buffer, sizeof(send_buffer));
    }
    address_.sin_family = AF_INET;
    address_.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address_);
    if (::bind(fd_.get(), reinterpret_cast<sockaddr*>(&address_), size) != 0 ||
        ::listen(fd_.get(), 512) != 0 ||
        ::getsockname(fd_.get(), reinterpret_cast<sockaddr*>(&address_), &size) != 0) {
      throw std::runtime_error(std::string("cannot listen: ") + std::strerror(errno));
    }
  }

  [[nodiscard]] int fd() const { return fd_.get(); }
  int release() { return fd_.release(); }

  // The kernel completes it without accept().
  [[nodiscard]] Fd connect(int receive_buffer = 0) const {
    Fd client{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    if (receive_buffer > 0) {
      ::setsockopt(client.get(), SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof(receive_buffer));
    }
    if (::connect(client.get(), reinterpret_cast<const sockaddr*>(&address_), sizeof(address_)) !=
        0) {
      throw std::runtime_error(std::string("cannot connect: ") + std::strerror(errno));
    }
    return client;
  }

 private:
  Fd fd_;
  sockaddr_in address_{};
};

struct SocketPair {
  Fd near;  // accepted, non-blocking
  Fd far;   // blocking
};

[[nodiscard]] inline SocketPair make_socket_pair(int send_buffer = 0, int receive_buffer = 0) {
  const TestListener listener(send_buffer);
  SocketPair pair{.near = Fd{}, .far = listener.connect(receive_buffer)};
  pair.near = Fd{::accept4(listener.fd(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC)};
  return pair;
}

// RST instead of FIN.
inline void reset_socket(Fd& fd) {
  const linger hard{.l_onoff = 1, .l_linger = 0};
  ::setsockopt(fd.get(), SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
  fd.reset();
}

// Exactly `size` bytes, or fewer at the end of the stream or after 30 s of silence.
[[nodiscard]] inline std::string read_bytes(int fd, std::size_t size) {
  const timeval patience{.tv_sec = 30, .tv_usec = 0};
  ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
  std::string bytes(size, '\0');
  std::size_t got = 0;
  while (got < size) {
    const ssize_t n = ::recv(fd, bytes.data() + got, size - got, 0);
    if (n <= 0) break;
    got += static_cast<std::size_t>(n);
  }
  bytes.resize(got);
  return bytes;
}

// Names of this process's threads.
[[nodiscard]] inline std::vector<std::string> thread_names() {
  std::vector<std::string> names;
  std::error_code error;
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task", error)) {
    std::string name;
    std::getline(std::ifstream(task.path() / "comm"), name);
    names.push_back(name);
  }
  return names;
}

// The kernel's worker threads of a ring (iou-wrk-TID); there should never be one.
[[nodiscard]] inline std::size_t io_worker_threads() {
  std::size_t count = 0;
  for (const std::string& name : thread_names()) count += name.starts_with("iou-wrk") ? 1U : 0U;
  return count;
}

}  // namespace tocsin::net
