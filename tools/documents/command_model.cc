#include "tools/documents/command_model.h"

#include <algorithm>
#include <utility>

#include <CLI/CLI.hpp>

#include "proto/assert.h"

namespace tocsin::documents {
namespace {

OptionModel model_of(const CLI::Option& option) {
  OptionModel model;
  for (const std::string& name : option.get_snames()) model.names.push_back("-" + name);
  for (const std::string& name : option.get_lnames()) model.names.push_back("--" + name);
  model.is_positional = model.names.empty();
  if (model.is_positional) model.names.push_back(option.get_name(true));
  if (option.get_type_size() != 0) {
    model.value = option.get_type_name();
    model.default_value = option.get_default_str();
    model.is_repeatable = option.get_items_expected_max() > 1;
  }
  if (model.is_positional && model.value.empty()) model.value = model.names.front();
  model.help = option.get_description();
  // Options of the hub say their default behind the text: "... [15s]".
  if (const auto bracket = model.help.rfind(" ["); model.help.ends_with(']')) {
    model.default_value = model.help.substr(bracket + 2, model.help.size() - bracket - 3);
    model.help.resize(bracket);
  }
  model.group = option.get_group();
  model.is_required = option.get_required();
  return model;
}

CommandModel model_of_command(const CLI::App& app) {
  CommandModel model;
  model.name = app.get_name();
  model.summary = app.get_description();
  model.footer = app.get_footer();
  for (const bool positionals : {true, false}) {
    for (const std::string& group : app.get_groups()) {
      for (const CLI::Option* option : app.get_options()) {
        if (option->get_group() != group || group.empty()) continue;
        OptionModel described = model_of(*option);
        if (described.is_positional == positionals) model.options.push_back(std::move(described));
      }
    }
  }
  return model;
}

}  // namespace

std::vector<std::string> OptionModel::words() const {
  std::vector<std::string> words;
  if (!value.contains('|')) return words;
  std::size_t start = 0;
  for (std::size_t end = 0; end != value.size(); start = end + 1) {
    end = std::min(value.find('|', start), value.size());
    words.push_back(value.substr(start, end - start));
  }
  return words;
}

ProgramModel model_of(const CLI::App& app) {
  ProgramModel model;
  model.program = model_of_command(app);
  for (const CLI::App* command : app.get_subcommands(
           [](const CLI::App* candidate) { return !candidate->get_group().empty(); })) {
    TOCSIN_ASSERT(command->get_subcommands({}).empty());
    model.commands.push_back(model_of_command(*command));
  }
  return model;
}

}  // namespace tocsin::documents
