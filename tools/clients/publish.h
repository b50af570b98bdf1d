// `tocsin publish`: events from arguments or standard input to a hub.
#pragma once

#include <cstddef>
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

struct PublishOptions {
  std::string url{kDefaultHubUrl};
  std::string stream;  // empty: the hub's default
  std::string type;
  std::string id;  // only for a single event
  std::optional<std::uint32_t> retry_ms;
  bool envelope = false;
  std::vector<std::string> headers;  // "Name: value"
  std::vector<std::string> data;     // an event each; none: the input's lines
  std::string token_file;  // of the credential; empty: TOCSIN_TOKEN, or none
  TlsFlags tls;
  bool ndjson = false;  // the input's lines are JSON objects
  bool verbose = false;
  std::size_t batch = 256;
  std::string retry_for = "60s";  // without an answer, before it gives up
};

// Where a command reads and writes; a test puts its own here. Not owned.
struct ProgramStreams {
  int in_fd = 0;
  std::FILE* out = stdout;
  std::FILE* err = stderr;
};

// Returns the exit status: 0 everything was accepted, 1 something was not, 2 the options are wrong.
[[nodiscard]] int run_publish(const PublishOptions& options, const ProgramStreams& streams);

// Registers the subcommand. When it was chosen, parsing runs it and sets `exit_code`, which must
// live as long as the app.
CLI::App* add_publish_command(CLI::App& app, int& exit_code);

}  // namespace tocsin::tools
