// `tocsin subscribe`: a stream's events to standard output.
#pragma once

#include <cstdint>
#include <cstdio>
#include <optional>
#include <string>
#include <vector>

#include "tools/clients/client_common.h"

namespace CLI {
class App;
}

namespace tocsin::tools {

struct SubscribeOptions {
  std::string url{kDefaultHubUrl};
  std::vector<std::string> streams;  // none: the hub's default
  std::string last_event_id;
  std::vector<std::string> types;    // print only these; none: all
  std::vector<std::string> headers;  // "Name: value"
  std::string token_file;  // of the credential; empty: TOCSIN_TOKEN, or none
  TlsFlags tls;
  bool hello = false;     // `hello=1`
  std::string heartbeat;  // `heartbeat=`; empty: the hub's
  bool json = false;
  bool quiet = false;
  bool reconnect = true;
  std::uint64_t count = 0;          // stop after so many printed events; 0: never
  std::optional<double> timeout_s;  // stop after so long
};

// Where the command writes; a test puts its own here. Not owned.
struct SubscribeOutput {
  int out_fd = 1;
  std::FILE* err = stderr;
};

// Runs until a signal, the end of the output's reader, --count, --timeout, or a final failure.
// Returns the exit status: 0 it ended as asked, 1 it failed or --count was not reached, 2 the
// options are wrong. Handles signals (tools/base/stop_watcher.h) and ignores SIGPIPE while it runs.
[[nodiscard]] int run_subscribe(const SubscribeOptions& options, const SubscribeOutput& output);

// Registers the subcommand. When it was chosen, parsing runs it and sets `exit_code`, which must
// live as long as the app.
CLI::App* add_subscribe_command(CLI::App& app, int& exit_code);

}  // namespace tocsin::tools
