#include "tools/serve/start_warnings.h"

#include <algorithm>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "net/io/listen_address.h"
#include "net/log.h"
#include "tools/auth/auth_configuration.h"

namespace tocsin::tools {

std::string reachable_by_others(std::span<const std::string> listen) {
  std::vector<std::string_view> open;
  for (const std::string& text : listen) {
    const auto address = net::parse_listen_address(text);
    // One that cannot be written so came from the supervisor: it may be anything.
    if (!address || !net::is_loopback(*address)) open.push_back(text);
  }
  return fmt::format("{}", fmt::join(open, ","));
}

std::string open_fault(const Configuration& configuration, std::span<const std::string> addresses) {
  if (configuration.open || configuration.auth != nullptr) return {};
  const std::string reachable = reachable_by_others(addresses);
  if (reachable.empty()) return {};
  return fmt::format(
      "listen {}: the hub is open, without [auth] in its configuration, and whoever reaches it may "
      "publish and read all; add [auth], listen on 127.0.0.1, or say --open",
      reachable);
}

std::string reload_fault(const Configuration& before, const Configuration& now) {
  if (before.auth == nullptr || now.auth != nullptr) return {};
  return "[auth] has gone from the configuration; no reload opens a hub, only a restart opens it";
}

void warn_of_files(const Configuration& configuration, const Configuration& before) {
  for (const std::string& warning : configuration.warnings) {
    const bool said = std::ranges::find(before.warnings, warning) != before.warnings.end();
    if (!said) net::log::warning(warning);
  }
}

std::string heartbeat_fault(const net::ServerOptions& options) {
  const std::uint32_t silence_s = options.heartbeat_s;
  if (silence_s > 0 && silence_s < kUnborneSilenceS) return {};
  return fmt::format(
      "streams are silent for {}: from {} s on h2o cuts them, and Traffic Server leaves their "
      "clients on a dead stream without a word; below it the defaults of all proxies but Envoy "
      "suffice",
      silence_s == 0 ? "ever" : fmt::format("{} s", silence_s), kUnborneSilenceS);
}

std::string presence_fault(const Configuration& configuration) {
  const net::ServerOptions& options = configuration.options;
  if (!std::ranges::any_of(options.namespaces, &net::TopicNamespace::presence)) return {};
  if (configuration.auth != nullptr) return {};
  return "nobody has a name where the hub asks for no credentials, so nobody comes or goes";
}

void warn_of_heartbeat(const Configuration& configuration) {
  if (!configuration.given.contains("heartbeat")) return;
  const std::string fault = heartbeat_fault(configuration.options);
  if (fault.empty()) return;
  net::log::warning(fault, {{"heartbeat_s", configuration.options.heartbeat_s}});
}

void MachineWarning::configured(const Configuration& configuration, std::uint64_t open) {
  const std::uint64_t wanted = configuration.options.max_connections;
  if (!configuration.given.contains("max_connections") ||
      std::exchange(judged_for_, wanted) == wanted) {
    return;
  }
  named_.clear();
  judge(configuration.options, {.streams = wanted, .open = std::min(open, wanted)});
}

void MachineWarning::connected(const net::ServerOptions& options, std::uint64_t open) {
  if (open < next_look_) return;
  next_look_ = open * 2;
  const std::uint64_t soon = std::min<std::uint64_t>(open * 2, options.max_connections);
  judge(options, {.streams = std::max(open, soon), .open = open});
}

void MachineWarning::judge(const net::ServerOptions& options, const net::Demand& demand) {
  std::vector<std::string> news;
  for (const net::Finding& finding : net::check_system(options, demand, shards_)) {
    if (named_.insert(finding.name).second) news.push_back(finding.name);
  }
  if (news.empty()) return;
  net::log::warning("the machine is short of what so many streams need",
                    {{"streams", demand.streams},
                     {"open", demand.open},
                     {"short_of", fmt::format("{}", fmt::join(news, ", "))},
                     {"more", fmt::format("tocsin check --max-connections {}", demand.streams)}});
}

}  // namespace tocsin::tools
