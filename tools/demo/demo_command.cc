#include "tools/demo/demo_command.h"

#include <cstdio>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <utility>

#include <CLI/CLI.hpp>

#include "tools/base/print.h"
#include "tools/demo/demo_application.h"
#include "tools/serve/front_page.h"
#include "tools/serve/hub_command.h"
#include "tools/serve/options.h"
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

int run_demo(const OptionFlags& flags, Configuration configuration) {
  Demo demo(std::random_device{}());
  return tools::run_serve(flags, std::move(configuration), demo.application(),
                          [&demo](net::Server& server) {
                            std::jthread feeds = demo.start(server);
                            greet("http://" + server.addresses().front());
                            return feeds;
                          });
}

int run(const OptionFlags& flags, bool demo) {
  auto configuration = flags.load();
  if (!configuration) {
    flags.complain(configuration.error());
    return 2;
  }
  if (!demo) return tools::run_serve(flags, std::move(*configuration), tools::front_page());
  // Everybody in the chat has a topic of their own.
  if (!configuration->options.auto_topics) {
    flags.complain("auto_topics must be true for the demonstration");
    return 2;
  }
  return run_demo(flags, std::move(*configuration));
}

// The end of both commands' help.
std::string exit_status() {
  return "Exit status:\n"
         "  0  drained, or ended by a second signal\n"
         "  1  it could not start\n"
         "  2  wrong arguments or configuration";
}

}  // namespace

CLI::App* add_serve_command(CLI::App& app, int& exit_code) {
  const auto demo = std::make_shared<bool>(false);
  CLI::App* command =
      tools::add_hub_command(app, "serve", "Run the hub", exit_code,
                             [demo](const OptionFlags& flags) { return run(flags, *demo); });
  command->add_flag("--demo", *demo,
                    "With the demonstration's page, feeds and chat; open to everybody, not for "
                    "production");
  command->footer(
      "The hub runs until SIGTERM or SIGINT. Then it drains: streams end spread over\n"
      "--drain-timeout, and who connects waits: for the next process, where a service manager\n"
      "keeps the listening sockets (systemd's FDSTORE=1), else until they close with this one.\n"
      "A second signal ends it at once. SIGHUP reads the file that --config names again; flags\n"
      "still win. Every flag but --config and --demo is a key of that file, with _ for -.\n"
      "\n"
      "Examples:\n"
      "  tocsin serve --listen 0.0.0.0:8080 --max-connections 10000\n"
      "  tocsin serve --config /etc/tocsin/tocsin.toml\n"
      "\n"
      "Files:\n"
      "  /etc/tocsin/tocsin.toml           the packaged service's configuration: every key, with\n"
      "                                    its default\n"
      "  /usr/share/tocsin/90-tocsin.conf  kernel settings for very many streams, which nothing\n"
      "                                    applies by itself\n"
      "\n" +
      exit_status());
  return command;
}

CLI::App* add_demo_command(CLI::App& app, int& exit_code) {
  CLI::App* command =
      tools::add_hub_command(app, "demo", "Run the hub with a page, feeds and a chat to look at",
                             exit_code, [](const OptionFlags& flags) { return run(flags, true); });
  command->footer(
      "The same as serve --demo: open to everybody, not for production. http://127.0.0.1:8080/ is\n"
      "the page.\n"
      "\n" +
      exit_status());
  return command;
}

}  // namespace tocsin::demo
