#include <CLI/CLI.hpp>

#include "tools/demo.h"
#include "tools/publish.h"
#include "tools/subscribe.h"

int main(int argc, char** argv) {
  CLI::App app{"Tocsin: a Server-Sent-Events hub", "tocsin"};
  app.set_version_flag("--version", TOCSIN_VERSION);
  app.require_subcommand(1);
  int exit_code = 0;
  tocsin::tools::add_serve_command(app, exit_code);
  tocsin::tools::add_publish_command(app, exit_code);
  tocsin::tools::add_subscribe_command(app, exit_code);
  tocsin::tools::add_demo_command(app, exit_code);
  tocsin::tools::add_check_command(app, exit_code);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    // Help and version are "errors" with status 0; everything else is the caller's mistake.
    return app.exit(error) == 0 ? 0 : 2;
  }
  return exit_code;
}
