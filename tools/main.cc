#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "tools/base/conceal_password.h"
#include "tools/base/did_you_mean.h"
#include "tools/base/print.h"
#include "tools/base/standard_streams.h"
#include "tools/base/version_text.h"
#include "tools/clients/publish.h"
#include "tools/clients/subscribe.h"
#include "tools/credentials/key_command.h"
#include "tools/credentials/token_command.h"
#include "tools/credentials/url_command.h"
#include "tools/demo/demo_command.h"
#include "tools/documents/documents_command.h"
#include "tools/load/load_command.h"
#include "tools/history/history_command.h"
#include "tools/serve/check_command.h"
#include "tools/serve/serve_command.h"

namespace {

using Strings = std::vector<std::string>;

// "; did you mean NAME?" for the first of `words` that is near one of `names`, else where to look.
std::string advice(const Strings& words, const Strings& names, std::string_view help) {
  const std::vector<std::string_view> known(names.begin(), names.end());
  for (const std::string_view word : words) {
    if (auto hint = tocsin::tools::did_you_mean(word, known); !hint.empty()) return hint;
  }
  return fmt::format("; see {} --help", help);
}

Strings commands_of(const CLI::App& app) {
  Strings names;
  for (const CLI::App* command : app.get_subcommands({})) {
    const bool hidden = command->get_group().empty();
    if (!hidden) names.push_back(command->get_name());
  }
  return names;
}

Strings flags_of(const CLI::App& command) {
  Strings names;
  for (const CLI::Option* option : command.get_options()) {
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  }
  return names;
}

// What was given, but for values: --flag of --flag=value.
Strings unknown_flags(const CLI::App& command) {
  Strings words = command.remaining();
  std::erase_if(words, [](const std::string& word) { return !word.starts_with("--"); });
  for (std::string& word : words) word.resize(std::min(word.size(), word.find('=')));
  return words;
}

// What was wrong with the arguments, in one line; what CLI11 says of a first word that is no
// command is that a command is missing.
int refuse(const CLI::App& app, const CLI::ParseError& error, int argc, char** argv) {
  const bool no_command = app.get_subcommands().empty();
  const CLI::App& left_over = no_command ? app : *app.get_subcommands().front();
  // CLI11 names what it does not know from the last to the first, and nothing if a command is
  // missing, too.
  std::string what = error.what();
  if (const Strings unknown = left_over.remaining(); !unknown.empty()) {
    what = fmt::format("not expected: {}", fmt::join(unknown, " "));
  }
  tocsin::tools::conceal_password(what.data());
  if (no_command && argc > 1 && argv[1][0] != '-') {
    tocsin::tools::print(stderr, "tocsin: unknown command '{}'{}\n", argv[1],
               advice({argv[1]}, commands_of(app), "tocsin"));
  } else if (no_command) {
    tocsin::tools::print(stderr, "tocsin: {}{}\n", what,
               advice(unknown_flags(app), flags_of(app), "tocsin"));
  } else {
    const CLI::App& command = *app.get_subcommands().front();
    const std::string name = "tocsin " + command.get_name();
    tocsin::tools::print(stderr, "{}: {}{}\n", name, what,
               advice(unknown_flags(command), flags_of(command), name));
  }
  return 2;
}

}  // namespace

int main(int argc, char** argv) {
  if (!tocsin::tools::open_standard_streams()) {
    tocsin::tools::print(stderr, "tocsin: cannot open /dev/null: {}\n", std::strerror(errno));
    return 1;
  }
  CLI::App app{"A Server-Sent-Events hub", "tocsin"};
  app.set_version_flag("--version", tocsin::tools::version_text, "Print version and libraries");
  app.require_subcommand(1);
  int exit_code = 0;
  tocsin::tools::add_serve_command(app, exit_code, tocsin::demo::run_demo);
  tocsin::tools::add_publish_command(app, exit_code);
  tocsin::tools::add_subscribe_command(app, exit_code);
  tocsin::load::add_load_command(app, exit_code);
  tocsin::demo::add_demo_command(app, exit_code);
  tocsin::tools::add_check_command(app, exit_code);
  tocsin::tools::add_history_command(app, exit_code);
  tocsin::tools::add_key_command(app, exit_code);
  tocsin::tools::add_url_command(app, exit_code);
  tocsin::tools::add_token_command(app, exit_code);
  tocsin::documents::add_documents_command(app, exit_code);
  app.footer(
      "tocsin COMMAND --help tells more, and so does the manual page tocsin-COMMAND.\n"
      "\n"
      "Exit status:\n"
      "  0  done\n"
      "  1  failed, in part or as a whole\n"
      "  2  wrong arguments or configuration; nothing was done");
  // CLI11 takes them from the last to the first.
  Strings words(argv + 1, argv + std::max(argc, 1));
  std::ranges::reverse(words);
  // What ps(1) and /proc show of this process.
  for (int i = 1; i < argc; ++i) tocsin::tools::conceal_password(argv[i]);
  try {
    app.parse(std::move(words));
  } catch (const CLI::ParseError& error) {
    // Help and version are "errors" with status 0; everything else is the caller's mistake.
    exit_code = error.get_exit_code() == 0 ? app.exit(error) : refuse(app, error, argc, argv);
  }
  return tocsin::tools::status_of_output("tocsin", exit_code);
}
