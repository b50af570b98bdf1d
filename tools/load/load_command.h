// `tocsin load`: many subscribers against any server of event streams.
#pragma once

#include "tools/load/options/load_arguments.h"

namespace CLI {
class App;
}

namespace tocsin::load {

// Adds the words and flags to `app`; parsing fills `arguments`, which must live as long as the app.
void add_load_flags(CLI::App& app, LoadArguments& arguments);

// Runs it and writes the result where the options say. Returns the exit status: 0 everything that
// was published arrived once and in order and every expectation held, 1 not, 2 the arguments are
// wrong. Handles stop_signals() of tools/base/stop_watcher.h (the first ends the run with what was
// measured, the second the process), ignores SIGPIPE, and raises RLIMIT_NOFILE's soft limit to the
// hard one.
[[nodiscard]] int run_load_command(const LoadArguments& arguments);

// Registers the subcommand. When it was chosen, parsing runs it and sets `exit_code`, which must
// live as long as the app.
CLI::App* add_load_command(CLI::App& app, int& exit_code);

}  // namespace tocsin::load
