#include "tools/load/load_command.h"

#include <pthread.h>
#include <signal.h>
#include <time.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <functional>
#include <memory>
#include <stop_token>
#include <thread>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "net/server/system_check.h"
#include "tools/base/print.h"
#include "tools/base/stop_watcher.h"
#include "tools/base/stoppable_sleep.h"
#include "tools/load/figures/readable.h"
#include "tools/load/load_run.h"
#include "tools/load/options/recipes.h"
#include "tools/load/options/scenarios.h"
#include "tools/load/progress.h"
#include "tools/load/report/report.h"

namespace tocsin::load {
namespace {

constexpr int kAllArrived = 0;
constexpr int kFailed = 1;
constexpr int kBadArguments = 2;

int complain(std::string_view what, int status) {
  tools::print(stderr, "tocsin load: {}\n", what);
  return status;
}

// The first signal raises `stop`; from then on a thread lets signals through, so that the next one
// ends the process.
class Interruption {
 public:
  Interruption()
      : watcher_(tools::StopWatcher::create(-1, std::nullopt, [this] {
          stop_ = true;
          let_through_ = std::jthread([](const std::stop_token& done) {
            const sigset_t signals = tools::stop_signals();
            // The watcher has seen the first one, but not taken it.
            const timespec at_once{};
            sigtimedwait(&signals, nullptr, &at_once);
            pthread_sigmask(SIG_UNBLOCK, &signals, nullptr);
            tools::wait_for_stop(done, std::chrono::steady_clock::time_point::max());
          });
        })) {}

  [[nodiscard]] const std::atomic<bool>& stop() const { return stop_; }
  // Empty, or why signals cannot be handled.
  [[nodiscard]] std::string fault() const { return watcher_ ? std::string() : watcher_.error(); }

 private:
  std::atomic<bool> stop_{false};
  std::jthread let_through_;  // behind the watcher in destruction: its thread starts this one
  std::expected<std::unique_ptr<tools::StopWatcher>, std::string> watcher_;
};

std::string write_file(const std::string& path, const std::string& text) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file << text;
  if (!file.flush()) return fmt::format("cannot write {}: {}", path, std::strerror(errno));
  return {};
}

// Empty, or which file could not be written.
std::string write_results(const LoadOptions& options, const LoadResult& result) {
  if (options.json_path == "-") {
    tools::print_text(stdout, to_json(options, result));
  } else {
    tools::print_text(stdout, to_text(options, result));
  }
  std::string fault;
  if (!options.json_path.empty() && options.json_path != "-") {
    fault = write_file(options.json_path, to_json(options, result));
  }
  if (!options.report_path.empty() && fault.empty()) {
    fault = write_file(options.report_path, to_html(options, result));
  }
  return fault;
}

// CLI11 keeps no copy of what was typed.
std::vector<std::string> own_command_line() {
  std::ifstream file("/proc/self/cmdline", std::ios::binary);
  std::vector<std::string> words;
  for (std::string word; std::getline(file, word, '\0');) words.push_back(word);
  return words;
}

// A run of an hour is not to end in a file that cannot be written.
std::string check_files(const LoadOptions& options) {
  const std::array<std::pair<std::string_view, const std::string&>, 2> files{
      {{"--json", options.json_path}, {"--report", options.report_path}}};
  for (const auto& [flag, path] : files) {
    if (path.empty() || path == "-") continue;
    if (!std::ofstream(path, std::ios::app)) {
      return fmt::format("{}: cannot write {}: {}", flag, path, std::strerror(errno));
    }
  }
  return {};
}

std::string footer() {
  std::string text = "Scenarios, each a set of defaults that flags override:\n";
  for (const ScenarioInfo& info : scenarios()) {
    const LoadOptions o = scenario_defaults(info.scenario);
    text += fmt::format("  {:<10} {} (-n {}", info.name, info.summary, o.subscribe.count);
    if (o.publish.mode == PublishMode::rate) {
      text += fmt::format(", --rate {}", o.publish.schedule.events_per_s);
    }
    if (o.publish.events > 0) text += fmt::format(", --events {}", o.publish.events);
    if (o.publish.duration_s > 0) text += fmt::format(", --duration {}", o.publish.duration_s);
    if (o.publish.connections > 1) text += fmt::format(", --publishers {}", o.publish.connections);
    if (o.workload.zipf > 0) text += fmt::format(", --zipf {}", o.workload.zipf);
    text += ")\n";
  }
  return text +
         "\nA URL without a path takes the recipe's; one with a path is used as it is. Every event "
         "is\n"
         "numbered and checked by every receiver.\n\n"
         "Examples:\n"
         "  tocsin load broadcast -n 5000\n"
         "  tocsin load trickle http://127.0.0.1:8080 --expect 'p99<50ms,lost=0'\n\n"
         "Exit status:\n"
         "  0  everything arrived once and in order, and each --expect held\n"
         "  1  not so, or nobody could connect\n"
         "  2  wrong arguments";
}

// The names, as what is to be typed: a|b.
template <typename Named>
std::string joined(std::span<const Named> choices) {
  std::string text;
  for (const Named& choice : choices) {
    text.append(text.empty() ? "" : "|").append(choice.name);
  }
  return text;
}

void add_flag(CLI::App& app, const Flag& flag,
              std::vector<std::pair<Flag, std::string>>& destination) {
  const std::string names(flag.names);
  const std::string help(flag.help);
  CLI::Option* option = nullptr;
  if (flag.value.empty()) {
    option = app.add_flag_callback(
        names, [flag, &destination] { destination.emplace_back(flag, std::string()); }, help);
  } else {
    const std::function<void(const std::vector<std::string>&)> take =
        [flag, &destination](const std::vector<std::string>& values) {
          for (const std::string& value : values) destination.emplace_back(flag, value);
        };
    option = app.add_option_function(names, take, help)
                 ->type_name(std::string(flag.value))
                 ->allow_extra_args(false);
    if (!flag.is_repeatable) option->expected(1);
  }
  option->group(std::string(flag.group));
}

}  // namespace

void add_load_flags(CLI::App& app, LoadArguments& arguments) {
  // Either may be left out, so that which word is which is decided by what they look like.
  const auto take = [&arguments](const std::string& word) { arguments.words.push_back(word); };
  using Take = std::function<void(const std::string&)>;
  app.add_option_function("SCENARIO", Take(take), "A set of defaults (default: broadcast)")
      ->type_name(joined(scenarios()));
  app.add_option_function("URL", Take(take), "The server (default: http://127.0.0.1:8080)")
      ->type_name("");
  app.add_option("--recipe", arguments.recipe, "How to talk to the server, see --help-recipes")
      ->type_name(joined(recipes()))
      ->capture_default_str();
  for (const Flag& flag : common_flags()) add_flag(app, flag, arguments.common);
  for (const Flag& flag : request_flags()) add_flag(app, flag, arguments.request);
}

int run_load_command(const LoadArguments& arguments) {
  auto resolved = resolve(arguments, Machine::current());
  if (!resolved) return complain(resolved.error(), kBadArguments);
  LoadOptions& options = resolved->options;
  if (auto fault = check_files(options); !fault.empty()) return complain(fault, kBadArguments);
  options.command_line = own_command_line();
  // Where it fails, connecting beyond the limit says so.
  static_cast<void>(net::raise_descriptor_limit());
  signal(SIGPIPE, SIG_IGN);
  const Interruption interruption;
  if (auto fault = interruption.fault(); !fault.empty()) return complain(fault, kFailed);
  LoadResult result;
  {
    Progress progress(stderr, options.quiet);
    for (const auto& warning : resolved->warnings) progress.note("tocsin load: " + warning);
    result = run_load(options, progress, interruption.stop());
  }
  if (result.connected == 0) {
    for (const auto& failure : result.failures) complain(printable(failure), kFailed);
    return kFailed;
  }
  if (auto fault = write_results(options, result); !fault.empty()) return complain(fault, kFailed);
  return result.failures.empty() ? kAllArrived : kFailed;
}

CLI::App* add_load_command(CLI::App& app, int& exit_code) {
  auto arguments = std::make_shared<LoadArguments>();
  auto help_recipes = std::make_shared<bool>(false);
  CLI::App* command =
      app.add_subcommand("load", "Load a server with subscribers and events, and check them");
  add_load_flags(*command, *arguments);
  command->add_flag("--help-recipes", *help_recipes, "Print what is known of each server");
  command->footer(footer());
  command->callback([arguments, help_recipes, &exit_code] {
    if (*help_recipes) {
      tools::print_text(stdout, recipes_help());
    } else {
      exit_code = run_load_command(*arguments);
    }
  });
  return command;
}

}  // namespace tocsin::load
