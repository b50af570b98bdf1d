#include "tools/serve/options.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <memory>
#include <optional>
#include <system_error>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "net/http/option_value.h"
#include "net/io/listen_address.h"
#include "net/jose/key_file.h"
#include "proto/limits.h"
#include "proto/text/utf8.h"
#include "tools/base/print.h"
#include "tools/serve/option_table.h"

namespace tocsin::tools {
namespace {

using net::ServerOptions;
using Text = std::expected<std::string, std::string>;

// At a start anything that can be read, such as a pipe: the shell's <(...). `again`: a pipe would
// be empty by then, or hold up the thread that heeds signals, so only a regular file.
// `exposure`: what changeable_by_all() says of it.
[[nodiscard]] Text read_file(const std::string& name, bool again, std::string& exposure) {
  const auto fault = [&] {
    return std::unexpected(
        fmt::format("{}: cannot be read: {}", name, std::generic_category().message(errno)));
  };
  const int fd = ::open(name.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | (again ? O_NONBLOCK : 0));
  if (fd < 0) return fault();
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(::fdopen(fd, "r"), &std::fclose);
  if (file == nullptr) {
    ::close(fd);
    return fault();
  }
  struct stat status {};
  if (::fstat(fd, &status) != 0) return fault();
  if (again && !S_ISREG(status.st_mode)) {
    return std::unexpected(
        fmt::format("{}: cannot be read again: it is not a regular file", name));
  }
  std::string text;
  std::array<char, 4096> part{};
  std::size_t length = 0;
  while ((length = std::fread(part.data(), 1, part.size(), file.get())) > 0) {
    text.append(part.data(), length);
    if (text.size() > limits::kMaxConfigFile) {
      return std::unexpected(fmt::format("{}: is larger than {}", name,
                                         net::format_size(limits::kMaxConfigFile)));
    }
  }
  if (std::ferror(file.get()) != 0) return fault();
  if (S_ISREG(status.st_mode)) exposure = net::changeable_by_all(fd, name);
  return text;
}

// For --help: without TOML's quotes and brackets.
[[nodiscard]] std::string default_text(const Option& option) {
  std::string text = toml_value(ServerOptions{}, option);
  std::erase_if(text, [](char c) { return c == '"' || c == '[' || c == ']'; });
  return text.empty() ? "none" : text;
}

// What is given is kept as text and checked by load(), where a file's values are.
void add_flag(CLI::App& app, const Option& option, std::vector<std::string>& given) {
  const std::string flag = fmt::format("--{}", option.name);
  const std::string help = fmt::format("{} [{}]", option.help, default_text(option));
  CLI::Option* added = nullptr;
  if (is_list(option)) {
    // One element per flag, which is repeated: no element can swallow what follows.
    added = app.add_option_function<std::vector<std::string>>(
                   flag, [&given](const std::vector<std::string>& values) { given = values; }, help)
                ->type_size(1)
                ->allow_extra_args(false)
                ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  } else {
    added = app.add_option_function<std::string>(
        flag, [&given](const std::string& value) { given = {value}; }, help);
  }
  added->type_name(value_form(option))->group(std::string(option.group));
}

}  // namespace

OptionFlags::OptionFlags(CLI::App& app) : command_(app.get_name()) {
  app.add_option("--config", config_file_, "Configuration file (TOML); flags win over it.")
      ->type_name("FILE");
  app.add_flag("--open", open_,
               "Let a hub without [auth] in its configuration listen where others reach it");
  app.get_formatter()->column_width(38);
  for (const Option& option : option_table()) {
    add_flag(app, option, given_[std::string(option.name)]);
  }
}

void OptionFlags::complain(std::string_view lines) const {
  while (!lines.empty()) {
    const std::string_view line = lines.substr(0, lines.find('\n'));
    lines.remove_prefix(std::min(line.size() + 1, lines.size()));
    // Of a file, with whatever stands in it.
    print(stderr, "tocsin {}: {}\n", command_, proto::without_controls(line));
  }
}

std::expected<Configuration, std::string> read_configuration(const std::string& file,
                                                             Reading reading) {
  std::string exposure;
  const Text text = read_file(file, reading == Reading::again, exposure);
  if (!text) return std::unexpected(text.error());
  Configuration result;
  if (auto applied = apply_toml(result, *text, file); !applied) {
    return std::unexpected(std::move(applied.error()));
  }
  if (!exposure.empty()) result.warnings.push_back(std::move(exposure));
  return result;
}

std::expected<Configuration, std::string> OptionFlags::load(Reading reading) const {
  Configuration result;
  std::vector<std::string> problems;
  if (!config_file_.empty()) {
    auto said = read_configuration(config_file_, reading);
    if (said) {
      result = *std::move(said);
    } else {
      problems.push_back(std::move(said.error()));
    }
  }
  result.open = open_;
  for (const Option& option : option_table()) {
    const auto given = given_.find(option.name);
    if (given == given_.end() || given->second.empty()) {
      continue;
    }
    result.given.insert(option.key());
    if (const auto set = set_option(result.options, option, given->second); !set) {
      problems.push_back(fmt::format("--{} {}", option.name, set.error()));
    }
  }
  if (problems.empty()) {
    if (const auto good = check_together(result.options); !good) {
      problems.push_back(good.error());
    }
  }
  if (!problems.empty()) {
    return std::unexpected(fmt::format("{}", fmt::join(problems, "\n")));
  }
  return result;
}

std::expected<void, std::string> check_together(const ServerOptions& options) {
  std::vector<std::string> problems;
  if (options.listen.empty()) {
    problems.emplace_back("listen names no address");
  }
  if (const auto addresses = net::parse_listen_addresses(options.listen); !addresses) {
    problems.push_back(addresses.error());
  }
  if (!options.auto_topics && options.topics.empty()) {
    problems.emplace_back("auto_topics is false and topics is empty: nobody could subscribe");
  }
  if (options.history_bytes > options.history_total_bytes) {
    problems.emplace_back("history_bytes is larger than history_total_bytes");
  }
  for (const net::TopicNamespace& space : options.namespaces) {
    if (space.options.history_bytes.value_or(0) > options.history_total_bytes) {
      problems.push_back(fmt::format("topics: history_bytes of {} is larger than "
                                     "history_total_bytes",
                                     toml_string(space.match)));
    }
  }
  if (problems.empty()) {
    return {};
  }
  return std::unexpected(fmt::format("{}", fmt::join(problems, "\n")));
}

Difference difference(const ServerOptions& from, const ServerOptions& to) {
  Difference result;
  for (const Option& option : option_table()) {
    if (toml_value(from, option) != toml_value(to, option)) {
      auto& list = option.change == Change::reload ? result.applied : result.restart;
      list.push_back(option.key());
    }
  }
  return result;
}

ServerOptions reloaded(const ServerOptions& current, const ServerOptions& wanted) {
  ServerOptions result = current;
  for (const Option& option : option_table()) {
    if (option.change == Change::reload) {
      copy_option(wanted, result, option);
    }
  }
  return result;
}

}  // namespace tocsin::tools
