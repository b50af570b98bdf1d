// `tocsin demo`: a hub with live feeds to look at. The feeds are ordinary publishers: they know the
// hub by its address and speak HTTP to it, as any program would.
#pragma once

namespace CLI {
class App;
}

namespace tocsin::tools {

// Registers `demo` (the options of `serve` apply). See add_publish_command.
CLI::App* add_demo_command(CLI::App& app, int& exit_code);
CLI::App* add_serve_command(CLI::App& app, int& exit_code);
CLI::App* add_check_command(CLI::App& app, int& exit_code);

}  // namespace tocsin::tools
