// `tocsin serve` and `tocsin demo`, which is the same as `tocsin serve --demo`.
#pragma once

namespace CLI {
class App;
}

namespace tocsin::demo {

// Register the subcommands, with the hub's options. When one was chosen, parsing runs it and sets
// `exit_code`, which must live as long as the app. The demonstration is switched on here and
// nowhere else: no configuration file can bring it into a service.
CLI::App* add_serve_command(CLI::App& app, int& exit_code);
CLI::App* add_demo_command(CLI::App& app, int& exit_code);

}  // namespace tocsin::demo
