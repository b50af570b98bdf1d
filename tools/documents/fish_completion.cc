#include <fmt/format.h>
#include <fmt/ranges.h>

#include "tools/documents/completion.h"

namespace tocsin::documents {
namespace {

std::string quoted(std::string_view text) {
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'' || c == '\\') out += '\\';
    out += c;
  }
  return out + "'";
}

// What is offered as the value, or as the positional.
std::string values(const OptionModel& option) {
  if (option.takes_file()) return " -F";
  if (option.takes_folder()) return " -a '(__fish_complete_directories)'";
  const auto words = option.words();
  return words.empty() ? ""
                       : fmt::format(" -a {}", quoted(fmt::format("{}", fmt::join(words, " "))));
}

std::string line(const OptionModel& option, std::string_view start) {
  std::string out(start);
  if (!option.is_positional) {
    for (const std::string& name : option.names) {
      out += name.starts_with("--") ? " -l " + name.substr(2) : " -s " + name.substr(1);
    }
    if (!option.value.empty()) out += option.takes_file() ? " -r" : " -x";
  }
  return out + values(option) + " -d " + quoted(option.help) + "\n";
}

}  // namespace

std::string fish_completion(const ProgramModel& model) {
  const std::string& program = model.program.name;
  std::string out = fmt::format(
      "# fish completion of {0}; made by `{0} documents`.\n"
      "complete -c {0} -f\n",
      program);
  const std::string first = fmt::format("complete -c {} -n __fish_use_subcommand", program);
  for (const CommandModel& command : model.commands) {
    out += fmt::format("{} -a {} -d {}\n", first, command.name, quoted(command.summary));
  }
  for (const OptionModel& option : model.program.options) out += line(option, first);
  for (const CommandModel& command : model.commands) {
    const std::string start =
        fmt::format("complete -c {} -n '__fish_seen_subcommand_from {}'", program, command.name);
    for (const OptionModel& option : command.options) {
      if (!option.is_positional || !values(option).empty()) out += line(option, start);
    }
  }
  return out;
}

}  // namespace tocsin::documents
