#include <cstdio>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "tools/check_command.h"
#include "tools/demo/demo_command.h"
#include "tools/documents/documents_command.h"
#include "tools/load/load_command.h"
#include "tools/publish.h"
#include "tools/subscribe.h"
#include "tools/version_text.h"

namespace {

// What was wrong with the arguments, in one line; what CLI11 says of a first word that is no
// command is that a command is missing.
int refuse(const CLI::App& app, const CLI::ParseError& error, int argc, char** argv) {
  const bool no_command = app.get_subcommands().empty();
  if (no_command && argc > 1 && argv[1][0] != '-') {
    fmt::print(stderr, "tocsin: unknown command '{}'; see tocsin --help\n", argv[1]);
  } else if (no_command) {
    fmt::print(stderr, "tocsin: {}; see tocsin --help\n", error.what());
  } else {
    const std::string command = app.get_subcommands().front()->get_name();
    fmt::print(stderr, "tocsin {0}: {1}; see tocsin {0} --help\n", command, error.what());
  }
  return 2;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"A Server-Sent-Events hub", "tocsin"};
  app.set_version_flag("--version", tocsin::tools::version_text, "Print version and libraries");
  app.require_subcommand(1);
  int exit_code = 0;
  tocsin::demo::add_serve_command(app, exit_code);
  tocsin::tools::add_publish_command(app, exit_code);
  tocsin::tools::add_subscribe_command(app, exit_code);
  tocsin::load::add_load_command(app, exit_code);
  tocsin::demo::add_demo_command(app, exit_code);
  tocsin::tools::add_check_command(app, exit_code);
  tocsin::documents::add_documents_command(app, exit_code);
  app.footer(
      "tocsin COMMAND --help tells more, and so does the manual page tocsin-COMMAND.\n"
      "\n"
      "Exit status:\n"
      "  0  done\n"
      "  1  failed, in part or as a whole\n"
      "  2  wrong arguments or configuration; nothing was done");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    // Help and version are "errors" with status 0; everything else is the caller's mistake.
    return error.get_exit_code() == 0 ? app.exit(error) : refuse(app, error, argc, argv);
  }
  return exit_code;
}
