#include "tools/serve/serve_command.h"

#include <memory>
#include <string>
#include <utility>

#include <CLI/CLI.hpp>

#include "tools/serve/front_page.h"
#include "tools/serve/serve.h"

namespace tocsin::tools {

CLI::App* add_serve_command(CLI::App& app, int& exit_code, HubRun demo) {
  const auto with_demo = std::make_shared<bool>(false);
  CLI::App* command = add_hub_command(
      app, "serve", "Run the hub", exit_code,
      [with_demo, demo = std::move(demo)](const OptionFlags& flags, Configuration configuration) {
        return *with_demo ? demo(flags, std::move(configuration))
                          : run_serve(flags, std::move(configuration),
                                      {.application = front_page()});
      });
  command->add_flag("--demo", *with_demo,
                    "With the demonstration's page, feeds and chat; open to everybody, not for "
                    "production");
  command->footer(
      "The hub runs until SIGTERM or SIGINT. Then it drains: streams end spread over\n"
      "--drain-timeout, and who connects waits: for the next process, where a service manager\n"
      "keeps the listening sockets (systemd's FDSTORE=1), else until they close with this one.\n"
      "A second signal ends it at once, as the first one does while the hub still starts. SIGHUP\n"
      "reads the file that --config names again, and the key files that it names; flags still\n"
      "win. Every flag but --config, --demo and --open is a key of that file, with _ for -. The\n"
      "file's [auth] says who may publish and read; without it whoever reaches the hub may, and\n"
      "it listens on loopback only.\n"
      "\n"
      "Examples:\n"
      "  tocsin serve --listen 127.0.0.1:8080 --max-connections 10000\n"
      "  tocsin serve --config /etc/tocsin/tocsin.toml\n"
      "\n"
      "Files:\n"
      "  /etc/tocsin/tocsin.toml           the packaged service's configuration: every key, with\n"
      "                                    its default\n"
      "  /usr/share/tocsin/90-tocsin.conf  kernel settings for very many streams, which nothing\n"
      "                                    applies by itself\n"
      "\n" +
      std::string(kServeExitStatus));
  return command;
}

}  // namespace tocsin::tools
