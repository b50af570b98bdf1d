// Tells systemd how the service is doing: the protocol of sd_notify(3), READY=1 and friends as one
// datagram to the socket that $NOTIFY_SOCKET names.
//
// Written here instead of linking libsystemd: the protocol is a stable interface whose own manual
// page invites that, and libsystemd would load four compression and cryptography libraries into a
// process that faces the network.
//
// It keeps descriptors, too, for the next process of the service (see store()).
//
// Without systemd (no $NOTIFY_SOCKET) everything is a no-op. Not thread-safe: one thread notifies.
#pragma once

#include <chrono>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace tocsin::net {

class ServiceNotify {
 public:
  // Reads NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID and removes them from the environment, so
  // that no child speaks for the service. Call it before threads are started.
  [[nodiscard]] static ServiceNotify from_environment();

  // `address`: a path, or "@name" for the abstract namespace; empty: nobody listens.
  ServiceNotify(std::string address, std::optional<std::chrono::microseconds> watchdog);
  ~ServiceNotify();
  ServiceNotify(ServiceNotify&& other) noexcept;
  ServiceNotify(const ServiceNotify&) = delete;
  ServiceNotify& operator=(const ServiceNotify&) = delete;
  ServiceNotify& operator=(ServiceNotify&&) = delete;

  [[nodiscard]] bool active() const { return descriptor_ >= 0; }

  // Half of WatchdogSec=, as sd_watchdog_enabled(3) advises; nothing if no watchdog is set.
  [[nodiscard]] std::optional<std::chrono::microseconds> watchdog_interval() const;

  // Each returns false if the message could not be handed over at once; a full or vanished
  // socket is systemd's trouble and never blocks the service.
  // `status` is the text that `systemctl status` shows; line ends in it become spaces.
  bool ready(std::string_view status = {});
  // Between reloading() and ready() systemd reports the unit as reloading.
  bool reloading();
  bool stopping(std::string_view status = {});
  bool status(std::string_view status);
  // Only after checking that every shard has made progress: the point of a watchdog is to miss it.
  bool alive();
  // Asks for this much more time for the state change in progress (a drain).
  bool extend_timeout(std::chrono::microseconds time);

  // Has the manager keep duplicates of `fds`, which the next process of the service is handed
  // under this name (net/server/handed_descriptors.h): over a restart and a crash, not over a
  // stop, and as many as the unit's FileDescriptorStoreMax= allows. What it has already it does
  // not take again. `name`: at most 255 printable characters of ASCII without a colon. These two
  // may wait, a second at most; false: it does not take them. That it keeps them is not known.
  bool store(std::string_view name, std::span<const int> fds);
  // Has it close all that it keeps under this name.
  bool forget(std::string_view name);

 private:
  bool send(std::string_view message);
  bool send(std::string_view message, std::span<const int> fds, int flags);

  std::string address_;
  std::optional<std::chrono::microseconds> watchdog_;
  int descriptor_ = -1;
};

}  // namespace tocsin::net
