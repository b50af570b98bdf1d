// What an operator is told of the machine and the addresses, in as few lines as possible; the rest
// is in `tocsin check`.
#pragma once

#include <cstdint>
#include <set>
#include <span>
#include <string>
#include <string_view>

#include "net/server/system_check.h"
#include "tools/serve/options.h"

namespace tocsin::tools {

// Of the addresses of `listen` those that other machines reach, with commas; none: empty.
[[nodiscard]] std::string reachable_by_others(std::span<const std::string> listen);

// What that means where there is no [auth].
inline constexpr std::string_view kOpenPublishing =
    "whoever reaches it may publish and read all; add [auth], listen on 127.0.0.1, or let only a "
    "proxy or a firewall through";

// Why a hub must not listen at `addresses`: it is open, and others reach it. Empty: it may.
[[nodiscard]] std::string open_fault(const Configuration& configuration,
                                     std::span<const std::string> addresses);

// Why a running hub must not go on with `now` after `before`: nobody would be asked for a
// credential any more. A file that was cut off says the same as one without [auth]; so only a
// restart opens a hub. Empty: it may.
[[nodiscard]] std::string reload_fault(const Configuration& before, const Configuration& now);

// Configuration::warnings, to the log: those that were not said of `before`.
void warn_of_files(const Configuration& configuration, const Configuration& before = {});

// Silence that some proxies do not bear, at their defaults (docs/proxies.md).
inline constexpr std::uint32_t kUnborneSilenceS = 30;

// What is wrong with `heartbeat` behind some proxies; empty: nothing.
[[nodiscard]] std::string heartbeat_fault(const net::ServerOptions& options);
// The same in the log, where a heartbeat was asked for.
void warn_of_heartbeat(const Configuration& configuration);

// What is wrong with `presence` of some topics; empty: nothing, or none has it.
[[nodiscard]] std::string presence_fault(const Configuration& configuration);

// What is to be said of max_stream_age, if it is 0.
inline constexpr std::string_view kForgottenStreams =
    "behind a proxy set max_stream_age, say to 1h: some never let go of a stream whose client has "
    "left";

// Judges the machine by the streams that somebody wants: max_connections where it was set, else
// twice as many as are open, each time that they have doubled. A hub that nobody configured is not
// told what it lacks for the million that it admits.
class MachineWarning {
 public:
  explicit MachineWarning(std::uint32_t shards) : shards_(shards) {}

  // At the start and after a reload: says what is too low for the max_connections that was given,
  // unless that has been said.
  void configured(const Configuration& configuration, std::uint64_t open);
  // About once a second: says what is too low for more streams than are open and was not yet named.
  void connected(const net::ServerOptions& options, std::uint64_t open);

 private:
  void judge(const net::ServerOptions& options, const net::Demand& demand);

  static constexpr std::uint64_t kFirstLook = 128;  // streams

  const std::uint32_t shards_;
  std::uint64_t judged_for_ = 0;          // max_connections
  std::uint64_t next_look_ = kFirstLook;  // streams
  std::set<std::string> named_;
};

}  // namespace tocsin::tools
