#include "tools/credentials/key_command.h"

#include <cstdio>
#include <memory>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "net/auth/access_keys.h"
#include "net/auth/denial.h"
#include "net/auth/principal.h"
#include "tools/base/print.h"
#include "tools/serve/option_table.h"

namespace tocsin::tools {

std::string key_table(std::string_view name, std::string_view key, bool admin) {
  return fmt::format(
      "# For the hub's configuration, which has the hash alone.\n"
      "[[auth.keys]]\nname = {}\nhash = \"{}\"\n{}",
      toml_string(name), net::access_key_hash(key),
      admin ? "admin = true\n" : "publish = [\"*\"]\nsubscribe = []\n");
}

CLI::App* add_key_command(CLI::App& app, int& exit_code) {
  auto name = std::make_shared<std::string>("backend");
  auto admin = std::make_shared<bool>(false);
  CLI::App* command = app.add_subcommand("key", "Make a key for a back end");
  command->footer(
      "Prints a new key, which the back end sends as Authorization: Bearer, and below it what to\n"
      "write into the hub's configuration: the key's hash and what it may do. The key itself is\n"
      "kept nowhere and cannot be found out from the hash.\n"
      "\n"
      "Examples:\n"
      "  tocsin key --name shop\n"
      "  tocsin key --name operator --admin\n"
      "\n"
      "Exit status:\n"
      "  0  printed\n"
      "  1  the output cannot be written\n"
      "  2  wrong arguments");
  command->add_option("--name", *name, "Who has it")
      ->capture_default_str()
      ->check([](const std::string& text) {
        const bool is_good = !text.empty() && net::shown(text, net::Principal::kMaxSubject) == text;
        return is_good ? "" : "must have 1 to 256 printable characters, without \" and \\";
      });
  command->add_flag("--admin", *admin, "It is for the admin API, and publishes nothing");
  command->callback([name, admin, &exit_code] {
    const net::Secret key = net::make_access_key();
    print(stdout, "{}\n\n{}", key.view(), key_table(*name, key.view(), *admin));
    exit_code = 0;
  });
  return command;
}

}  // namespace tocsin::tools
