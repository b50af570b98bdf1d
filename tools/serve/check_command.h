// `tocsin check`: is the configuration right, and is the machine up to it?
#pragma once

namespace CLI {
class App;
}

namespace tocsin::tools {

// Registers the subcommand, with the hub's options. It prints the effective configuration to
// standard output, and to standard error what is wrong with it, what the machine is short of and
// what some proxies do not bear ("tocsin check: warning: ...", advice as "tocsin check: note:
// ..."); --quiet: only what is wrong with it and its files. --fetch: asks the other servers that it
// names. `exit_code`, which must live as long as the app: 0 the configuration is good (warnings
// included), 1 one of these servers does not answer as it should, 2 the configuration is not good.
CLI::App* add_check_command(CLI::App& app, int& exit_code);

}  // namespace tocsin::tools
