// A real redis-server (Debian's; or what TOCSIN_REDIS_SERVER names, as a valkey-server) in a folder
// of its own, on a port of its own, with an append-only file that is synced at each write; or a
// Sentinel. What befalls one can befall it.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "net/redis/redis_options.h"
#include "tests/net/support/own_port.h"
#include "tests/net/support/temporary_folder.h"

namespace tocsin::net {

class RedisServer {
 public:
  // Where the program is; empty: nowhere, the test skips.
  [[nodiscard]] static std::string program();
  static constexpr const char* kMissing = "no redis-server (Debian: redis-server)";

  // `more`: arguments. Runs when this returns.
  explicit RedisServer(std::vector<std::string> more = {});
  // A Sentinel that watches the server at this port by the name "m"; two have to agree.
  struct SentinelOf {
    int port;
  };
  explicit RedisServer(SentinelOf master);
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
  // How many connections have sent it what it has not read.
  [[nodiscard]] int unread() const;
  // Of one that does not run.
  void empty_disk();
  // No byte more can be written, or again.
  void fill_disk(bool full);
  // Until it has ended by itself.
  void wait_end();

  // One command on a connection of its own; a text, a number as text, "" for nil, or the error
  // behind a '-'. Lists are joined by spaces.
  std::string ask(std::span<const std::string_view> words) const;
  std::string ask(std::initializer_list<std::string_view> words) const {
    return ask(std::span(words.begin(), words.size()));
  }
  std::string ask(const std::vector<std::string>& words) const {
    return ask(std::vector<std::string_view>(words.begin(), words.end()));
  }
  [[nodiscard]] long number(std::initializer_list<std::string_view> words) const;

 private:
  const TemporaryFolder made_;
  const std::filesystem::path folder_ = made_.path();
  const OwnPort port_;
  const std::vector<std::string> words_;  // of the command
  pid_t pid_ = -1;
};

}  // namespace tocsin::net
