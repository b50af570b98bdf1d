// The command line of tocsin_bench_client.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <vector>

#include "bench/publisher.h"

namespace tocsin::bench {

struct ClientOptions {
  std::string host = "127.0.0.1";  // an IPv4 address
  std::uint16_t port = 8080;
  std::string path = "/events?stream=bench";
  std::uint32_t subscribers = 100;
  std::uint32_t warmup = 0;  // of them, connected before anything is measured
  std::uint32_t threads = 1;
  double connects_per_s = 0;
  std::uint32_t connects_in_flight = 256;
  std::size_t bytes = 174;  // payload; with `id: ...` and `data: ` about 200 on the wire
  PublisherOptions publish;
  double reconnect_after_s = 0;  // after the first event reached all; 0: no cut
  double idle_s = 0;             // length of the idle window
  bool memory = false;
  double settle_s = 1;  // before memory is read
  double drain_s = 10;  // without any progress: what is missing then is lost
  std::vector<pid_t> server_pids;
  std::string json_path;  // empty: standard output
};

// The options; or the exit code, with the usage or the error already printed.
[[nodiscard]] std::expected<ClientOptions, int> parse_options(int argc, char** argv);

}  // namespace tocsin::bench
