#include "tools/serve/check_command.h"

#include <cstdio>
#include <memory>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "net/server/system_check.h"
#include "tools/auth/auth_configuration.h"
#include "tools/base/print.h"
#include "tools/serve/hub_command.h"
#include "tools/serve/start_warnings.h"

namespace tocsin::tools {
namespace {

void print_access(const OptionFlags& flags, const Configuration& configuration) {
  const std::string open = reachable_by_others(configuration.options.listen);
  if (configuration.auth == nullptr) {
    if (!open.empty()) {
      flags.complain(fmt::format("warning: listen {}: {}", open, kOpenPublishing));
    }
    return;
  }
  print(stdout, "\n# Who may do what\n{}", configuration.auth->toml);
  for (const std::string& warning : configuration.auth->warnings) {
    flags.complain(fmt::format("warning: auth: {}", warning));
  }
}

void print_check(const OptionFlags& flags, const Configuration& configuration) {
  const net::ServerOptions& options = configuration.options;
  print_text(stdout, to_toml(options));
  print_access(flags, configuration);
  if (const std::string fault = heartbeat_fault(options); !fault.empty()) {
    flags.complain(fmt::format("warning: heartbeat: {}", fault));
  }
  if (options.max_stream_age_s == 0) {
    flags.complain(fmt::format("note: {}", kForgottenStreams));
  }
  for (const net::Finding& finding : net::check_system(
           options, {.streams = options.max_connections}, net::shard_count(options.shards))) {
    flags.complain(
        fmt::format("warning: for {} streams: {}", options.max_connections, finding.text()));
  }
}

}  // namespace

CLI::App* add_check_command(CLI::App& app, int& exit_code) {
  const auto quiet = std::make_shared<bool>(false);
  CLI::App* command = add_hub_command(
      app, "check", "Check a configuration and this machine, print what is in effect", exit_code,
      [quiet](const OptionFlags& flags, const Configuration& configuration) {
        if (!*quiet) print_check(flags, configuration);
        return 0;
      });
  command->footer(
      "Prints every setting that is in effect, as a configuration file, a warning for each limit\n"
      "of this machine that is too low for it, with the command that raises it, and what is to be\n"
      "said of settings that do not suit every proxy, and of key files and open hubs that others\n"
      "reach.\n"
      "\n"
      "Examples:\n"
      "  tocsin check --config /etc/tocsin/tocsin.toml\n"
      "\n"
      "Exit status:\n"
      "  0  the configuration is good, whatever the machine lacks\n"
      "  2  wrong arguments or configuration");
  command->add_flag("-q,--quiet", *quiet, "Print only what is wrong with the configuration");
  return command;
}

}  // namespace tocsin::tools
