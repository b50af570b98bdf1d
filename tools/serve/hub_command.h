// A subcommand that takes the hub's options.
#pragma once

#include <functional>
#include <string_view>

#include "tools/serve/options.h"

namespace CLI {
class App;
}

namespace tocsin::tools {

// What a subcommand does with the configuration that `flags` and their file say. Returns the exit
// status.
using HubRun = std::function<int(const OptionFlags& flags, Configuration configuration)>;

// Registers the subcommand `name` with every option of the hub. When it was chosen, parsing calls
// `run` and puts what it returns into `exit_code`, which must live as long as the app; or 2, and
// says what is wrong with the configuration.
CLI::App* add_hub_command(CLI::App& app, const char* name, const char* help, int& exit_code,
                          HubRun run);

// The end of the help of commands that run the hub (tools/serve/serve.h).
inline constexpr std::string_view kServeExitStatus =
    "Exit status:\n"
    "  0  drained, or ended by a second signal, or by one while it started\n"
    "  1  it could not start, or its history was lost: started again it goes on with what is left\n"
    "  2  wrong arguments or configuration";

}  // namespace tocsin::tools
