// A subcommand that takes the hub's options.
#pragma once

#include <functional>

namespace CLI {
class App;
}

namespace tocsin::tools {

class OptionFlags;

// Registers the subcommand `name` with every option of the hub. When it was chosen, parsing calls
// `run` and puts what it returns into `exit_code`, which must live as long as the app.
CLI::App* add_hub_command(CLI::App& app, const char* name, const char* help, int& exit_code,
                          std::function<int(const OptionFlags&)> run);

}  // namespace tocsin::tools
