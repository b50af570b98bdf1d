// The configuration file: what it says, and a file of what is in effect.
#include <optional>
#include <vector>

#include <fmt/format.h>
#include <toml++/toml.h>

#include "tools/auth/auth_configuration.h"
#include "tools/base/did_you_mean.h"
#include "tools/base/file_problems.h"
#include "tools/serve/option_node.h"
#include "tools/serve/option_table.h"
#include "tools/serve/options.h"
#include "tools/serve/topic_namespaces.h"

namespace tocsin::tools {
namespace {

constexpr std::string_view kAuth = "auth";  // a table, and no option

[[nodiscard]] std::string unknown_key(std::string_view key) {
  std::vector<std::string> keys{std::string(kAuth)};
  for (const Option& option : option_table()) keys.push_back(option.key());
  return fmt::format("{} is not a known key{}", key,
                     did_you_mean(key, std::vector<std::string_view>(keys.begin(), keys.end())));
}

void apply_entry(ServerOptions& options, std::string_view key, const toml::node& node,
                 FileProblems& problems) {
  const Option* option = find_option(key);
  if (option == nullptr) {
    problems.add(node, unknown_key(key));
  } else if (std::holds_alternative<TopicsMember>(option->member)) {
    read_topics(options, *option, node, problems);
  } else if (const auto set = set_from_node(options, *option, node); !set) {
    problems.add(node, fmt::format("{} {}", key, set.error()));
  }
}

// The line, from 1, whose keys have more parts than any setting's: toml++ takes a part as deep as
// the stack reaches. Nothing: there is none.
std::optional<std::size_t> line_with_deep_key(std::string_view text) {
  constexpr std::size_t kMostDots = 64;
  std::size_t line = 1;
  std::size_t dots = 0;
  char quote = 0;
  bool comment = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '\n') {
      ++line;
      dots = 0;
      quote = 0;
      comment = false;
    } else if (comment) {
      continue;
    } else if (quote != 0) {
      if (c == '\\' && quote == '"') ++i;
      if (c == quote) quote = 0;
    } else if (c == '"' || c == '\'') {
      quote = c;
    } else if (c == '#') {
      comment = true;
    } else if (c == '.' && ++dots > kMostDots) {
      return line;
    }
  }
  return std::nullopt;
}

}  // namespace

std::expected<void, std::string> apply_toml(Configuration& configuration, std::string_view text,
                                            std::string_view file) {
  if (const auto line = line_with_deep_key(text)) {
    return std::unexpected(fmt::format("{}:{}: a key has too many parts", file, *line));
  }
  toml::table table;
  try {
    table = toml::parse(text);
  } catch (const toml::parse_error& error) {
    // One key for a list of names and for tables is no TOML.
    const bool both = error.description().contains("redefine existing array 'topics'");
    return std::unexpected(fmt::format(
        "{}:{}: {}{}", file, error.source().begin.line, error.description(),
        both ? "; names and [[topics]] go into one array: topics = [\"a\", { match = \"b/*\" }]"
             : ""));
  }
  FileProblems problems(file);
  for (auto&& [key, node] : table) {
    configuration.given.emplace(key.str());
    if (key.str() == kAuth) {
      configuration.auth = read_auth(node, file, problems);
      if (configuration.auth != nullptr) configuration.warnings = configuration.auth->warnings;
      continue;
    }
    apply_entry(configuration.options, key.str(), node, problems);
  }
  if (problems.size() > 0) return std::unexpected(problems.text());
  return {};
}

std::string to_toml(const ServerOptions& options) {
  std::string out;
  std::string_view group;
  for (const Option& option : option_table()) {
    if (option.group != group) {
      out += fmt::format("{}# {}\n", group.empty() ? "" : "\n", option.group);
      group = option.group;
    }
    const std::string effect = option.effect == nullptr ? "" : option.effect(options);
    out += fmt::format("{} = {}{}{}\n", option.key(), toml_value(options, option),
                       effect.empty() ? "" : "  # ", effect);
  }
  return out;
}

}  // namespace tocsin::tools
