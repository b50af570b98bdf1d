// `tocsin demo`, which is the same as `tocsin serve --demo`.
#pragma once

#include "tools/serve/options.h"

namespace CLI {
class App;
}

namespace tocsin::demo {

// Runs the hub as tools::run_serve does, with the demonstration's page, feeds and chat. Returns the
// exit status; 2: `configuration` does not allow for it, which was said.
[[nodiscard]] int run_demo(const tools::OptionFlags& flags, tools::Configuration configuration);

// Registers the subcommand, with the hub's options. When it was chosen, parsing runs it and sets
// `exit_code`, which must live as long as the app.
CLI::App* add_demo_command(CLI::App& app, int& exit_code);

}  // namespace tocsin::demo
