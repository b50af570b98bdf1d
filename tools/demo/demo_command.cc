#include "tools/demo/demo_command.h"

#include <cstdio>
#include <memory>
#include <random>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "net/log.h"
#include "tools/demo/demo_application.h"
#include "tools/hub_command.h"
#include "tools/options.h"
#include "tools/serve.h"

namespace tocsin::demo {
namespace {

using tools::OptionFlags;

int run_demo(const OptionFlags& flags) {
  // Everybody in the chat has a topic of their own.
  if (const auto options = flags.load(); options && !options->auto_topics) {
    fmt::print(stderr, "auto_topics must be true for the demonstration\n");
    return 2;
  }
  Demo demo(std::random_device{}());
  return tools::run_serve(flags, demo.application(), [&demo](net::Server& server) {
    net::log::info("demonstration", {{"page", "http://" + server.addresses().front() + "/"}});
    return demo.start(server);
  });
}

}  // namespace

CLI::App* add_serve_command(CLI::App& app, int& exit_code) {
  const auto demo = std::make_shared<bool>(false);
  CLI::App* command = tools::add_hub_command(
      app, "serve", "Run the hub", exit_code, [demo](const OptionFlags& flags) {
        return *demo ? run_demo(flags) : tools::run_serve(flags);
      });
  command->add_flag("--demo", *demo,
                    "With the demonstration's page, feeds and chat; open to everybody, not for "
                    "production");
  return command;
}

CLI::App* add_demo_command(CLI::App& app, int& exit_code) {
  return tools::add_hub_command(app, "demo", "Run the hub with a page, feeds and a chat to look at",
                                exit_code, run_demo);
}

}  // namespace tocsin::demo
