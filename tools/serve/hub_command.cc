#include "tools/serve/hub_command.h"

#include <memory>
#include <utility>

#include <CLI/CLI.hpp>

#include "tools/serve/options.h"

namespace tocsin::tools {

CLI::App* add_hub_command(CLI::App& app, const char* name, const char* help, int& exit_code,
                          std::function<int(const OptionFlags&)> run) {
  CLI::App* command = app.add_subcommand(name, help);
  auto flags = std::make_shared<OptionFlags>(*command);
  command->callback([flags, run = std::move(run), &exit_code] { exit_code = run(*flags); });
  return command;
}

}  // namespace tocsin::tools
