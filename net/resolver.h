// Names to addresses, as getaddrinfo(3) finds them: it blocks for as long as resolv.conf says and
// cannot be interrupted, so whoever must not block has a thread for it.
#pragma once

#include <sys/socket.h>

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <expected>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "net/socket_error.h"

namespace tocsin::net {

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;
};
// In the order in which they are to be tried; never empty.
using Addresses = std::vector<SocketAddress>;
using LookUpResult = std::expected<Addresses, SocketError>;

// An IPv4 or IPv6 literal, which needs no look-up; nothing if `host` is a name.
[[nodiscard]] std::optional<Addresses> parse_literal(const std::string& host, std::uint16_t port);

// Blocks, see above. Thread-safe.
[[nodiscard]] LookUpResult look_up(const std::string& host, std::uint16_t port);
using LookUp = std::function<LookUpResult(const std::string& host, std::uint16_t port)>;

// Looks names up in a thread of its own, which starts with the first name; one after another, each
// name once for all who wait for it.
class Resolver {
 public:
  // Who asked, in the caller's own terms.
  struct Asker {
    std::uint64_t id;
    std::uint64_t serial;
  };
  // Both are called in the resolver's thread (`done` by start() if no thread can be had). `done`
  // gets what start() was given; it may not call start().
  using Done = std::function<void(Asker asker, const LookUpResult& result)>;
  Resolver(LookUp look_up, Done done) : look_up_(std::move(look_up)), done_(std::move(done)) {}
  // Waits for the look-up that is under way.
  ~Resolver();
  Resolver(const Resolver&) = delete;
  Resolver& operator=(const Resolver&) = delete;

  // Thread-safe.
  void start(Asker asker, const std::string& host, std::uint16_t port);

 private:
  using Name = std::pair<std::string, std::uint16_t>;
  void run();

  const LookUp look_up_;
  const Done done_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Name> names_;                      // guarded; to be looked up, in order
  std::map<Name, std::vector<Asker>> waiting_;  // guarded; who waits for which name
  bool over_ = false;                           // guarded
  std::thread thread_;                          // guarded until over_
};

}  // namespace tocsin::net
