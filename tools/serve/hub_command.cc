#include "tools/serve/hub_command.h"

#include <memory>
#include <utility>

#include <CLI/CLI.hpp>

namespace tocsin::tools {

CLI::App* add_hub_command(CLI::App& app, const char* name, const char* help, int& exit_code,
                          HubRun run) {
  CLI::App* command = app.add_subcommand(name, help);
  auto flags = std::make_shared<OptionFlags>(*command);
  command->callback([flags, run = std::move(run), &exit_code] {
    auto configuration = flags->load();
    if (configuration) {
      exit_code = run(*flags, std::move(*configuration));
      return;
    }
    flags->complain(configuration.error());
    exit_code = 2;
  });
  return command;
}

}  // namespace tocsin::tools
