// The program's commands as documents need them: what `--help` shows, taken from the same tree.
#pragma once

#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace tocsin::documents {

struct OptionModel {
  std::vector<std::string> names;  // "-n", "--count"; a positional's only name has no dash
  std::string value;               // what it takes, e.g. "NUMBER", "auto|epoll"; empty: a switch
  std::string help;
  std::string group;          // heading in --help
  std::string default_value;  // empty: `help` says it, or there is none
  bool is_positional = false;
  bool is_required = false;
  bool is_repeatable = false;

  // What `value` allows, if it says so: the words of "auto|epoll".
  [[nodiscard]] std::vector<std::string> words() const;
  [[nodiscard]] bool takes_file() const { return value == "FILE"; }
  [[nodiscard]] bool takes_folder() const { return value == "FOLDER"; }
};

struct CommandModel {
  std::string name;                  // the program's own, or a command's: "serve"
  std::string summary;               // one line
  std::string footer;                // see help_text.h
  std::vector<OptionModel> options;  // in the order of --help; positionals first
};

struct ProgramModel {
  CommandModel program;
  std::vector<CommandModel> commands;
};

// REQUIRES: commands of `app` have none of their own.
[[nodiscard]] ProgramModel model_of(const CLI::App& app);

}  // namespace tocsin::documents
