#include "tools/documents/documents_command.h"

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <memory>
#include <system_error>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "proto/version.h"
#include "tools/base/print.h"
#include "tools/documents/completion.h"
#include "tools/documents/man_page.h"

namespace tocsin::documents {
namespace {

namespace fs = std::filesystem;

void write(const fs::path& path, const std::string& text) {
  fs::create_directories(path.parent_path());
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file << text;
  if (!file.flush())
    throw fs::filesystem_error("cannot write", path, {errno, std::generic_category()});
}

// Below `folder` as below /usr/share, where the shells and man(1) look for them.
void write_all(const fs::path& folder, const ProgramModel& model) {
  const std::string& program = model.program.name;
  const fs::path man = folder / "man" / "man1";
  write(man / (program + ".1"), program_page(model, version()));
  for (const CommandModel& command : model.commands) {
    write(man / fmt::format("{}-{}.1", program, command.name),
          command_page(model, command, version()));
  }
  write(folder / "bash-completion" / "completions" / program, bash_completion(model));
  write(folder / "zsh" / "vendor-completions" / ("_" + program), zsh_completion(model));
  write(folder / "fish" / "vendor_completions.d" / (program + ".fish"), fish_completion(model));
}

}  // namespace

CLI::App* add_documents_command(CLI::App& app, int& exit_code) {
  auto folder = std::make_shared<std::string>();
  CLI::App* command = app.add_subcommand("documents", "Write manual pages and shell completion");
  command->footer(
      "The packages have them already. A program that was built but not installed writes them for\n"
      "its user, where man, bash and fish look for them:\n"
      "  tocsin documents ~/.local/share\n"
      "zsh looks in the folders of its fpath:\n"
      "  fpath+=(~/.local/share/zsh/vendor-completions)\n"
      "\n"
      "Exit status:\n"
      "  0  written\n"
      "  1  a file cannot be written\n"
      "  2  wrong arguments");
  command->add_option("FOLDER", *folder, "Below it: man, bash-completion, zsh, fish")
      ->type_name("")
      ->required();
  command->callback([folder, &app, &exit_code] {
    try {
      write_all(*folder, model_of(app));
    } catch (const fs::filesystem_error& error) {
      tools::print(stderr, "tocsin documents: {}: {}\n", error.path1().string(),
                 error.code().message());
      exit_code = 1;
    }
  });
  return command;
}

}  // namespace tocsin::documents
