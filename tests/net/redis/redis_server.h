// A real redis-server (Debian's; or what TOCSIN_REDIS_SERVER names, as a valkey-server) in a folder
// of its own, on a port of its own, with an append-only file that is synced at each write. What
// befalls one can befall it.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "net/redis/redis_options.h"
#include "tests/net/support/own_port.h"

namespace tocsin::net {

class RedisServer {
 public:
  // Where the program is; empty: nowhere, the test skips.
  [[nodiscard]] static std::string program();
  static constexpr const char* kMissing = "no redis-server (Debian: redis-server)";

  // `more`: arguments. Runs when this returns.
  explicit RedisServer(std::vector<std::string> more = {});
  ~RedisServer();
  RedisServer(const RedisServer&) = delete;
  RedisServer& operator=(const RedisServer&) = delete;

  [[nodiscard]] int port() const { return port_.number(); }
  [[nodiscard]] RedisUrl url() const;
  // With patience for tests.
  [[nodiscard]] RedisOptions options() const;

  // With what it has on its disk; runs when this returns.
  void start();
  // At once (SIGKILL). Not running any more when this returns.
  void kill();
  // Neither runs nor ends, until resume().
  void freeze();
  void resume();
  // Of one that does not run.
  void empty_disk();

  // One command on a connection of its own; a text, a number as text, "" for nil, or the error
  // behind a '-'. Lists are joined by spaces.
  std::string ask(std::initializer_list<std::string_view> words) const;
  [[nodiscard]] long number(std::initializer_list<std::string_view> words) const;

 private:
  const std::filesystem::path folder_;
  const std::vector<std::string> more_;
  const OwnPort port_;
  pid_t pid_ = -1;
};

}  // namespace tocsin::net
