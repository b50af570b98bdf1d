#include "net/server/service_notify.h"

#include <sys/socket.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <utility>

#include <fmt/format.h>

#include "net/base/clock.h"
#include "net/base/environment_number.h"
#include "proto/assert.h"

namespace tocsin::net {
namespace {

// Descriptors that the kernel lets one message carry (SCM_MAX_FD).
constexpr std::size_t kMostDescriptors = 253;

// The protocol's separator is a line end, so a status must not contain one.
[[nodiscard]] std::string status_line(std::string_view status) {
  std::string line = fmt::format("STATUS={}\n", status);
  for (std::size_t i = 0; i + 1 < line.size(); ++i) {
    if (line[i] == '\n') {
      line[i] = ' ';
    }
  }
  return line;
}

}  // namespace

ServiceNotify ServiceNotify::from_environment() {
  const char* socket = std::getenv("NOTIFY_SOCKET");
  std::string address = socket == nullptr ? "" : socket;
  std::optional<std::chrono::microseconds> watchdog;
  const auto interval = environment_number("WATCHDOG_USEC");
  const auto pid = environment_number("WATCHDOG_PID");
  const bool for_us = !pid || *pid == static_cast<std::uint64_t>(::getpid());
  if (interval && *interval > 0 && for_us) {
    watchdog = std::chrono::microseconds(*interval);
  }
  ::unsetenv("NOTIFY_SOCKET");
  ::unsetenv("WATCHDOG_USEC");
  ::unsetenv("WATCHDOG_PID");
  return {std::move(address), watchdog};
}

ServiceNotify::ServiceNotify(std::string address, std::optional<std::chrono::microseconds> watchdog)
    : address_(std::move(address)), watchdog_(watchdog) {
  const bool known = address_.size() > 1 && (address_[0] == '/' || address_[0] == '@');
  if (known && address_.size() < sizeof(sockaddr_un{}.sun_path)) {
    descriptor_ = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    const timeval most{.tv_sec = 1, .tv_usec = 0};  // for those that may wait
    ::setsockopt(descriptor_, SOL_SOCKET, SO_SNDTIMEO, &most, sizeof(most));
  }
}

ServiceNotify::ServiceNotify(ServiceNotify&& other) noexcept
    : address_(std::move(other.address_)),
      watchdog_(other.watchdog_),
      descriptor_(std::exchange(other.descriptor_, -1)) {}

ServiceNotify::~ServiceNotify() {
  if (descriptor_ >= 0) {
    ::close(descriptor_);
  }
}

std::optional<std::chrono::microseconds> ServiceNotify::watchdog_interval() const {
  if (!active() || !watchdog_) {
    return std::nullopt;
  }
  return *watchdog_ / 2;
}

bool ServiceNotify::ready(std::string_view status) {
  return send(status.empty() ? "READY=1\n" : "READY=1\n" + status_line(status));
}

bool ServiceNotify::reloading() {
  // The time is what Type=notify-reload (systemd 253) asks for; Type=notify ignores it.
  return send(fmt::format("RELOADING=1\nMONOTONIC_USEC={}\n", now_ns() / 1000));
}

bool ServiceNotify::stopping(std::string_view status) {
  return send(status.empty() ? "STOPPING=1\n" : "STOPPING=1\n" + status_line(status));
}

bool ServiceNotify::status(std::string_view status) {
  return send(status_line(status));
}

bool ServiceNotify::alive() {
  return send("WATCHDOG=1\n");
}

bool ServiceNotify::extend_timeout(std::chrono::microseconds time) {
  return send(fmt::format("EXTEND_TIMEOUT_USEC={}\n", time.count()));
}

// FDPOLL=0: by default the manager watches each for errors and hang-ups, which wakes it at every
// connection that a listener gets, and closes one that has any. They are looked at by who is handed
// them.
bool ServiceNotify::store(std::string_view name, std::span<const int> fds) {
  TOCSIN_ASSERT(!name.contains('\n'));  // it would be another message
  const std::string message = fmt::format("FDSTORE=1\nFDNAME={}\nFDPOLL=0\n", name);
  bool sent = true;
  for (; !fds.empty() && sent; fds = fds.subspan(std::min(fds.size(), kMostDescriptors))) {
    sent = send(message, fds.first(std::min(fds.size(), kMostDescriptors)), 0);
  }
  return sent;
}

bool ServiceNotify::forget(std::string_view name) {
  return send(fmt::format("FDSTOREREMOVE=1\nFDNAME={}\n", name), {}, 0);
}

bool ServiceNotify::send(std::string_view message) {
  return send(message, {}, MSG_DONTWAIT);
}

bool ServiceNotify::send(std::string_view message, std::span<const int> fds, int flags) {
  if (descriptor_ < 0) {
    return false;
  }
  sockaddr_un to{};
  TOCSIN_ASSERT(address_.size() < sizeof(to.sun_path) && fds.size() <= kMostDescriptors);
  to.sun_family = AF_UNIX;
  std::memcpy(to.sun_path, address_.data(), address_.size());
  if (address_[0] == '@') {
    to.sun_path[0] = '\0';
  }
  iovec text{.iov_base = const_cast<char*>(message.data()), .iov_len = message.size()};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(kMostDescriptors * sizeof(int))> control{};
  msghdr datagram{};
  datagram.msg_name = &to;
  datagram.msg_namelen = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + address_.size());
  datagram.msg_iov = &text;
  datagram.msg_iovlen = 1;
  if (!fds.empty()) {
    datagram.msg_control = control.data();
    datagram.msg_controllen = CMSG_SPACE(fds.size_bytes());
    cmsghdr* header = CMSG_FIRSTHDR(&datagram);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(fds.size_bytes());
    std::memcpy(CMSG_DATA(header), fds.data(), fds.size_bytes());
  }
  const ssize_t sent = ::sendmsg(descriptor_, &datagram, MSG_NOSIGNAL | flags);
  return sent == static_cast<ssize_t>(message.size());
}

}  // namespace tocsin::net
