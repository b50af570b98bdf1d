#include <fmt/format.h>
#include <fmt/ranges.h>

#include "tools/documents/completion.h"

namespace tocsin::documents {
namespace {

constexpr std::string_view kHead = R"(# bash completion of {0}; made by `{0} documents`.
_{0}() {{
  local current=${{COMP_WORDS[COMP_CWORD]}} flag=${{COMP_WORDS[COMP_CWORD - 1]}} command= words=
  # bash has cut --flag=value into three.
  if [[ $current == "=" ]]; then
    current=
  elif [[ $flag == "=" ]]; then
    flag=${{COMP_WORDS[COMP_CWORD - 2]}}
  fi
  ((COMP_CWORD > 1)) && command=${{COMP_WORDS[1]}}
  COMPREPLY=()
  case $command in
)";

constexpr std::string_view kTail = R"(  esac
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
}}
complete -F _{0} {0}
)";

// What is done for a value, within a pattern of `case`.
std::string offer(const OptionModel& option) {
  if (const auto words = option.words(); !words.empty()) {
    return fmt::format("words=\"{}\"", fmt::join(words, " "));
  }
  if (!option.takes_file() && !option.takes_folder()) return "return";
  return fmt::format(
      "compopt -o filenames; mapfile -t COMPREPLY < <(compgen {} -- \"$current\"); return",
      option.takes_file() ? "-f" : "-d");
}

std::string command_case(const CommandModel& command) {
  std::vector<std::string> words;
  std::string cases;
  std::string paths;
  for (const OptionModel& option : command.options) {
    if (option.is_positional) {
      const auto more = option.words();
      words.insert(words.end(), more.begin(), more.end());
      if (option.takes_file() || option.takes_folder()) paths = offer(option);
      continue;
    }
    words.insert(words.end(), option.names.begin(), option.names.end());
    if (!option.value.empty()) {
      cases += fmt::format("        {}) {} ;;\n", fmt::join(option.names, " | "), offer(option));
    }
  }
  cases += fmt::format("        *) words=\"{}\"", fmt::join(words, " "));
  if (!paths.empty()) cases += fmt::format("; [[ $current == -* ]] || {{ {}; }}", paths);
  return fmt::format("    {})\n      case $flag in\n{} ;;\n      esac\n      ;;\n", command.name,
                     cases);
}

}  // namespace

std::string bash_completion(const ProgramModel& model) {
  const std::string& program = model.program.name;
  std::string out = fmt::format(kHead, program);
  std::vector<std::string> first;
  for (const CommandModel& command : model.commands) {
    first.push_back(command.name);
    out += command_case(command);
  }
  for (const OptionModel& option : model.program.options) {
    first.insert(first.end(), option.names.begin(), option.names.end());
  }
  out += fmt::format("    \"\") words=\"{}\" ;;\n", fmt::join(first, " "));
  return out + fmt::format(kTail, program);
}

}  // namespace tocsin::documents
