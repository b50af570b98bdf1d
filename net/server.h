// The hub as a running service: shards in their threads, started together, drained, stopped.
#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <string>
#include <vector>

#include "net/clock.h"
#include "net/server_options.h"
#include "net/server_state.h"

namespace tocsin::net {

// Threads: start, wait and the destructor from one thread; everything else from any.
class Server {
 public:
  // Opens every listener in every shard and begins to serve. Every shard has a descriptor table of
  // its own (unshare(CLONE_FILES)), so RLIMIT_NOFILE limits a shard, not the process. The error is
  // a sentence for the operator; nothing is left running then.
  [[nodiscard]] static std::expected<std::unique_ptr<Server>, std::string> start(
      const ServerOptions& options);
  // Stops at once if it still runs.
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // ADDR:PORT as bound, in the order of the options.
  [[nodiscard]] const std::vector<std::string>& addresses() const { return addresses_; }
  [[nodiscard]] std::size_t shards() const { return shards_.size(); }
  [[nodiscard]] ServerState& state() { return state_; }

  // Takes over what can change while streams stay open: everything but listen, shards, io,
  // pin_shards and send_buffer.
  void reload(const ServerOptions& options) { state_.set_options(options); }

  // No new connections; streams end spread over drain_timeout_s.
  void drain();
  // Everything ends now.
  void stop();
  // Until all shards have ended.
  void wait();
  [[nodiscard]] bool ended() const;

  // True if every shard has turned its loop since the last call (a loop turns at least once a
  // second).
  [[nodiscard]] bool all_turned();

 private:
  struct ShardThread;
  Server(const ServerOptions& options, std::size_t shards);
  void wake_all();

  SteadyClock clock_;
  ServerState state_;
  std::vector<std::unique_ptr<ShardThread>> shards_;
  std::vector<std::string> addresses_;
  std::vector<std::uint64_t> turns_seen_;
};

}  // namespace tocsin::net
