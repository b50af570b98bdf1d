#include "tools/serve/check_command.h"

#include <algorithm>
#include <cstdio>
#include <memory>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "net/server/history_choice.h"
#include "net/server/system_check.h"
#include "tools/auth/auth_configuration.h"
#include "tools/base/print.h"
#include "tools/serve/hub_command.h"
#include "tools/serve/start_warnings.h"

namespace tocsin::tools {
namespace {

void print_access(const OptionFlags& flags, const Configuration& configuration) {
  const std::string open = reachable_by_others(configuration.options.listen);
  if (configuration.auth == nullptr) {
    if (!open.empty() && configuration.open) {
      flags.complain(fmt::format("warning: listen {}: {}", open, kOpenPublishing));
    }
    return;
  }
  print(stdout, "\n# Who may do what\n{}", configuration.auth->toml);
  const auto& origins = configuration.options.cors_origins;
  if (std::ranges::all_of(origins, [](const std::string& origin) { return origin == "*"; })) {
    flags.complain(
        "note: cors_origins: no page of another origin can read: with [auth] each is named");
  }
  for (const net::KeySettings& source : configuration.auth->plan->key_sources) {
    flags.complain(fmt::format("note: auth: until the hub has the keys of {} it is not ready, and "
                               "refuses their issuer's tokens (503); --fetch tries the URL",
                               source.server.shown_url()));
  }
}

void print_check(const OptionFlags& flags, const Configuration& configuration) {
  const net::ServerOptions& options = configuration.options;
  net::ServerOptions shown = options;
  shown.history = net::history_text(options.history);
  print_text(stdout, to_toml(shown));
  print_access(flags, configuration);
  if (const std::string fault = heartbeat_fault(options); !fault.empty()) {
    flags.complain(fmt::format("warning: heartbeat: {}", fault));
  }
  for (const std::string& warning : net::history_warnings(options)) {
    flags.complain(fmt::format("warning: history: {}", warning));
  }
  if (const std::string fault = presence_fault(configuration); !fault.empty()) {
    flags.complain(fmt::format("warning: topics.presence: {}", fault));
  }
  if (options.max_stream_age_s == 0) {
    flags.complain(fmt::format("note: {}", kForgottenStreams));
  }
  for (const net::Finding& finding : net::check_system(
           options, {.streams = options.max_connections}, net::shard_count(options.shards))) {
    flags.complain(
        fmt::format("warning: for {} streams: {}", options.max_connections, finding.text()));
  }
}

// Whether other servers answer as the hub needs it. False: not all of them do.
bool ask_others(const OptionFlags& flags, const Configuration& configuration) {
  if (configuration.auth == nullptr) return true;
  const net::AccessPlan& plan = *configuration.auth->plan;
  bool good = true;
  for (const net::KeySettings& source : plan.key_sources) {
    const std::string url = source.server.shown_url();
    const auto fetched = net::fetch_keys(source);
    good = good && fetched;
    flags.complain(fetched ? fmt::format("note: {}: {} keys", url, fetched->keys.size())
                           : fmt::format("warning: {}: {}", url, fetched.error()));
  }
  if (plan.back_end) {
    const std::string url = plan.back_end->server.shown_url();
    const auto fault = net::probe_back_end(*plan.back_end);
    good = good && !fault;
    flags.complain(fault ? fmt::format("warning: {}: {}", url, *fault)
                         : fmt::format("note: {}: answers", url));
  }
  return good;
}

}  // namespace

CLI::App* add_check_command(CLI::App& app, int& exit_code) {
  const auto quiet = std::make_shared<bool>(false);
  const auto fetch = std::make_shared<bool>(false);
  CLI::App* command = add_hub_command(
      app, "check", "Check a configuration and this machine, print what is in effect", exit_code,
      [quiet, fetch](const OptionFlags& flags, const Configuration& configuration) {
        if (!*quiet) print_check(flags, configuration);
        for (const std::string& warning : configuration.warnings) {
          flags.complain(fmt::format("warning: {}", warning));
        }
        // Whether `serve` will be given --open is not known here.
        const std::string fault = open_fault(configuration, configuration.options.listen);
        if (!fault.empty()) flags.complain(fmt::format("warning: serve refuses this: {}", fault));
        return *fetch && !ask_others(flags, configuration) ? 1 : 0;
      });
  command->footer(
      "Prints every setting that is in effect, as a configuration file, a warning for each limit\n"
      "of this machine that is too low for it, with the command that raises it, and what is to be\n"
      "said of settings that do not suit every proxy, and of key files and open hubs that others\n"
      "reach.\n"
      "\n"
      "Examples:\n"
      "  tocsin check --config /etc/tocsin/tocsin.toml\n"
      "\n"
      "Exit status:\n"
      "  0  the configuration is good, whatever the machine lacks\n"
      "  1  it is, but with --fetch one of the other servers does not answer as it should\n"
      "  2  wrong arguments or configuration");
  command->add_flag("-q,--quiet", *quiet, 
                    "Print only what is wrong with the configuration and its files");
  command->add_flag("--fetch", *fetch,
                    "Also ask the other servers that [auth] names: URLs of keys, the webhook");
  return command;
}

}  // namespace tocsin::tools
