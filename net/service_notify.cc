#include "net/service_notify.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <utility>

#include <fmt/format.h>

#include "net/clock.h"

namespace tocsin::net {
namespace {

[[nodiscard]] std::optional<std::uint64_t> number_from(const char* text) {
  if (text == nullptr) {
    return std::nullopt;
  }
  const std::string_view digits(text);
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (error != std::errc{} || end != digits.data() + digits.size()) {
    return std::nullopt;
  }
  return number;
}

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
  const auto interval = number_from(std::getenv("WATCHDOG_USEC"));
  const auto pid = number_from(std::getenv("WATCHDOG_PID"));
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

bool ServiceNotify::send(std::string_view message) {
  if (descriptor_ < 0) {
    return false;
  }
  sockaddr_un to{};
  to.sun_family = AF_UNIX;
  std::memcpy(to.sun_path, address_.data(), address_.size());
  if (address_[0] == '@') {
    to.sun_path[0] = '\0';
  }
  const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + address_.size());
  const ssize_t sent =
      ::sendto(descriptor_, message.data(), message.size(), MSG_NOSIGNAL | MSG_DONTWAIT,
               reinterpret_cast<const sockaddr*>(&to), length);
  return sent == static_cast<ssize_t>(message.size());
}

}  // namespace tocsin::net
