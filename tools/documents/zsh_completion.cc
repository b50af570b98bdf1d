#include <fmt/format.h>
#include <fmt/ranges.h>

#include "tools/documents/completion.h"

namespace tocsin::documents {
namespace {

// Within single quotes, in a place where `special` characters mean something to _arguments.
std::string quoted(std::string_view text, std::string_view special) {
  std::string out;
  for (const char c : text) {
    if (c == '\'') {
      out += "'\\''";
    } else {
      if (special.contains(c)) out += '\\';
      out += c;
    }
  }
  return out;
}

std::string action(const OptionModel& option) {
  if (option.takes_file()) return "_files";
  if (option.takes_folder()) return "_files -/";
  const auto words = option.words();
  return words.empty() ? " " : fmt::format("({})", fmt::join(words, " "));
}

// One argument of _arguments.
std::string specification(const OptionModel& option) {
  const std::string message =
      quoted(option.value.empty() ? option.names.front() : option.value, "\\:");
  if (option.is_positional) {
    const std::string_view optional = option.is_required ? "" : ":";
    return fmt::format("'{}:{}:{}'", option.is_repeatable ? "*" : optional,
                       quoted(option.names.front(), "\\:"), action(option));
  }
  const std::string tail =
      fmt::format("[{}]{}", quoted(option.help, "\\[]:"),
                  option.value.empty() ? "" : fmt::format(":{}:{}", message, action(option)));
  std::vector<std::string> all;
  for (const std::string& name : option.names) {
    // "=": --flag=value as well; "+": -fvalue as well.
    const bool is_long = name.starts_with("--");
    const std::string_view mark = option.value.empty() ? "" : is_long ? "=" : "+";
    const std::string once =
        option.is_repeatable ? "*" : fmt::format("({})", fmt::join(option.names, " "));
    all.push_back(fmt::format("'{}{}{}{}'", once, name, mark, tail));
  }
  return fmt::format("{}", fmt::join(all, " \\\n        "));
}

std::string specifications(const CommandModel& command) {
  std::string out;
  for (const OptionModel& option : command.options) {
    out += " \\\n        " + specification(option);
  }
  return out;
}

}  // namespace

std::string zsh_completion(const ProgramModel& model) {
  const std::string& program = model.program.name;
  std::string out = fmt::format(
      "#compdef {0}\n"
      "# zsh completion of {0}; made by `{0} documents`.\n"
      "local state\n"
      "local -a commands=(\n",
      program);
  std::string cases;
  for (const CommandModel& command : model.commands) {
    out += fmt::format("  '{}:{}'\n", command.name, quoted(command.summary, "\\:"));
    cases += fmt::format("      {})\n      _arguments{}\n      ;;\n", command.name,
                         specifications(command));
  }
  out += fmt::format(
      ")\n"
      "_arguments -C{} \\\n"
      "        '1:command:->command' '*::argument:->argument'\n"
      "case $state in\n"
      "  command) _describe -t commands command commands ;;\n"
      "  argument)\n"
      "    case $words[1] in\n"
      "{}"
      "    esac\n"
      "    ;;\n"
      "esac\n",
      specifications(model.program), cases);
  return out;
}

}  // namespace tocsin::documents
