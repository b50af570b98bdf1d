// `tocsin serve`.
#pragma once

#include "tools/serve/hub_command.h"

namespace tocsin::tools {

// Registers the subcommand, with the hub's options; `demo` is what --demo runs. The demonstration
// is switched on by that flag and nowhere else: no configuration file can bring it into a service.
// When the command was chosen, parsing runs it and sets `exit_code`, which must live as long as the
// app.
CLI::App* add_serve_command(CLI::App& app, int& exit_code, HubRun demo);

}  // namespace tocsin::tools
