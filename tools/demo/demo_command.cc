#include "tools/demo/demo_command.h"

#include <cstdio>
#include <random>
#include <string>
#include <thread>
#include <utility>

#include <CLI/CLI.hpp>

#include "tools/base/print.h"
#include "tools/demo/demo_application.h"
#include "tools/serve/hub_command.h"
#include "tools/serve/serve.h"

namespace tocsin::demo {
namespace {

using tools::Configuration;
using tools::OptionFlags;

// The hub itself says that it is ready: whoever asks the port may be answered by another program.
void greet(const std::string& url) {
  tools::print(
      stdout,
      "\nThe hub is ready. Three things to try:\n"
      "  open {0}/ in a browser\n"
      "  curl -N '{0}/events?stream=events'\n"
      "  curl -d 'hello' '{0}/publish?stream=events&type=message'\n"
      "Ctrl-C ends it.\n\n",
      url);
  std::fflush(stdout);
}

}  // namespace

int run_demo(const OptionFlags& flags, Configuration configuration) {
  // Everybody in the chat has a topic of their own.
  if (!configuration.options.auto_topics) {
    flags.complain("auto_topics must be true for the demonstration");
    return 2;
  }
  Demo demo(std::random_device{}());
  return tools::run_serve(flags, std::move(configuration),
                          {.application = demo.application(),
                           .namespaces = Demo::namespaces(),
                           .companion = [&demo](net::Server& server) {
                             std::jthread feeds = demo.start(server);
                             greet("http://" + server.addresses().front());
                             return feeds;
                           }});
}

CLI::App* add_demo_command(CLI::App& app, int& exit_code) {
  CLI::App* command = tools::add_hub_command(
      app, "demo", "Run the hub with a page, feeds and a chat to look at", exit_code, run_demo);
  command->footer(
      "The same as serve --demo: open to everybody, not for production. http://127.0.0.1:8080/ is\n"
      "the page.\n"
      "\n" +
      std::string(tools::kServeExitStatus));
  return command;
}

}  // namespace tocsin::demo
