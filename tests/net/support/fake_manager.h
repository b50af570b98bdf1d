// Plays systemd for a service: the socket that $NOTIFY_SOCKET names.
#pragma once

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstring>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "tests/net/support/socket_pair.h"

namespace tocsin::net {

// A datagram socket with an address of the abstract namespace or a path.
class FakeManager {
 public:
  explicit FakeManager(std::string address) : address_(std::move(address)) {
    fd_ = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    sockaddr_un name{};
    name.sun_family = AF_UNIX;
    std::memcpy(name.sun_path, address_.data(), address_.size());
    if (address_[0] == '@') {
      name.sun_path[0] = '\0';
    }
    const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + address_.size());
    EXPECT_EQ(::bind(fd_, reinterpret_cast<const sockaddr*>(&name), length), 0);
  }
  ~FakeManager() {
    ::close(fd_);
    if (address_[0] == '/') {
      std::filesystem::remove(address_);
    }
  }
  FakeManager(const FakeManager&) = delete;
  FakeManager& operator=(const FakeManager&) = delete;

  // Of the abstract namespace, and nobody else's.
  [[nodiscard]] static std::string abstract_name() {
    static std::atomic<int> count{0};
    return fmt::format("@tocsin-notify-test-{}-{}", ::getpid(), ++count);
  }

  [[nodiscard]] const std::string& address() const { return address_; }
  // The next message; "nothing" if there is none.
  [[nodiscard]] std::string receive() const {
    std::vector<Fd> none;
    return receive(none);
  }
  // The same, and the descriptors that came with it.
  [[nodiscard]] std::string receive(std::vector<Fd>& fds) const {
    constexpr std::size_t kMost = 256;
    std::array<char, 4096> text{};
    alignas(cmsghdr) std::array<char, CMSG_SPACE(kMost * sizeof(int))> control{};
    iovec piece{.iov_base = text.data(), .iov_len = text.size()};
    msghdr message{};
    message.msg_iov = &piece;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    const ssize_t length = ::recvmsg(fd_, &message, MSG_CMSG_CLOEXEC);
    if (length < 0) return "nothing";
    for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr;
         header = CMSG_NXTHDR(&message, header)) {
      std::vector<int> numbers((header->cmsg_len - CMSG_LEN(0)) / sizeof(int));
      std::memcpy(numbers.data(), CMSG_DATA(header), numbers.size() * sizeof(int));
      for (const int fd : numbers) fds.emplace_back(fd);
    }
    return std::string(text.data(), static_cast<std::size_t>(length));
  }

 private:
  std::string address_;
  int fd_ = -1;
};

}  // namespace tocsin::net
