#include "net/redis/redis_check.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "net/redis/master_link.h"
#include "net/redis/redis_link.h"
#include "net/redis/sentinels.h"

namespace tocsin::net {
namespace {

// XTRIM by MINID came with it.
constexpr unsigned kLeastMajor = 6;
constexpr unsigned kLeastMinor = 2;

// Of two, none is a majority.
constexpr std::uint64_t kLeastSentinels = 3;

// A line `name:value` of INFO; empty: there is none.
std::string_view info(std::string_view text, std::string_view name) {
  for (std::size_t at = 0; (at = text.find(name, at)) != std::string_view::npos; ++at) {
    const bool begins = at == 0 || text[at - 1] == '\n';
    const std::string_view rest = text.substr(at + name.size());
    if (begins && rest.starts_with(':')) {
      return rest.substr(1, rest.find_first_of("\r\n") - 1);
    }
  }
  return {};
}

unsigned number_at(std::string_view& text) {
  unsigned number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  if (text.starts_with('.')) text.remove_prefix(1);
  return error == std::errc() ? number : 0;
}

void judge_version(std::string_view text, std::vector<std::string>& weak) {
  std::string_view rest = text;
  const unsigned major = number_at(rest);
  const unsigned minor = number_at(rest);
  if (std::pair(major, minor) < std::pair(kLeastMajor, kLeastMinor)) {
    weak.push_back(fmt::format("the server is version {}; {}.{} is the first that will do", text,
                               kLeastMajor, kLeastMinor));
  }
}

void judge_memory(std::string_view text, std::vector<std::string>& weak) {
  const std::string_view policy = info(text, "maxmemory_policy");
  if (policy != "noeviction") {
    weak.push_back(fmt::format(
        "maxmemory-policy is {}: when its memory is full the server drops the history, or what "
        "keeps a publish from coming twice; noeviction refuses publishes instead",
        policy));
  }
}

// `sync`: appendfsync; nothing: the server does not say.
void judge_disk(std::string_view text, std::optional<std::string> sync,
                std::vector<std::string>& weak) {
  if (info(text, "aof_enabled") != "1") {
    weak.emplace_back(
        "appendonly is no: what was published since the last snapshot is lost when the server "
        "ends, acknowledged or not");
  } else if (!sync) {
    weak.emplace_back("the server does not say what appendfsync is (CONFIG GET is not allowed)");
  } else if (*sync != "always") {
    weak.push_back(fmt::format(
        "appendfsync is {}: a server that dies may lose the newest of what was acknowledged; with "
        "always it does not",
        *sync));
  }
}

void judge_replicas(std::string_view text, unsigned wanted, std::vector<std::string>& weak) {
  std::string_view count = info(text, "connected_slaves");
  const unsigned there = number_at(count);
  if (there < wanted) {
    weak.push_back(fmt::format(
        "replicas is {} and the server has {}: no publish is acknowledged", wanted, there));
  } else if (there > wanted) {
    weak.push_back(fmt::format(
        "the server has {} replicas and replicas is {}: one that is promoted may lack the newest "
        "of what was acknowledged",
        there, wanted));
  }
}

// Each of them, as all of them may be needed one day.
void judge_sentinels(const RedisUrl& url, const RedisTrust& tls, Waiter& waiter,
                     TimePoint deadline, std::vector<std::string>& weak) {
  Sentinels sentinels(url, tls);
  std::uint64_t known = 0;
  for (std::size_t i = 0; i < url.servers.size(); ++i) {
    const TimePoint now = waiter.now();
    const TimePoint share = now + (deadline - now) / static_cast<std::int64_t>(
                                                         url.servers.size() - i + 1);
    const auto named = sentinels.ask_one(i, waiter, share);
    if (!named) {
      weak.push_back(named.error().text);
      continue;
    }
    known = std::max(known, named->others + 1);
    if (auto agree = sentinels.check_quorum(i, waiter, share); !agree) {
      weak.push_back(agree.error().text);
    }
  }
  if (known > 0 && known < kLeastSentinels) {
    weak.push_back(fmt::format(
        "{} of the Sentinels know each other: with fewer than {} nobody is promoted when one is "
        "gone",
        known, kLeastSentinels));
  }
}

}  // namespace

std::expected<std::vector<std::string>, std::string> check_redis(const RedisOptions& options) {
  Waiter& waiter = system_waiter();
  const TimePoint deadline = waiter.now() + std::chrono::milliseconds(options.connect_ms);
  const auto trust = trust_of(options.url);
  if (!trust) return std::unexpected(trust.error());
  std::vector<std::string> weak;
  if (!options.url.master.empty()) judge_sentinels(options.url, *trust, waiter, deadline, weak);
  auto master = open_master(options.url, *trust, waiter, deadline);
  if (!master) return std::unexpected(master.error().text);
  RedisLink* const link = &master->link;
  std::string persistence;
  for (const std::string_view section : {"server", "memory", "replication", "persistence"}) {
    const auto reply = link->ask({"INFO", section}, waiter, deadline);
    if (!reply) return std::unexpected(reply.error().text);
    if ((*reply)->is(RespValue::Kind::error)) return std::unexpected(std::string((*reply)->text));
    const std::string_view text = (*reply)->text;
    if (section == "server") judge_version(info(text, "redis_version"), weak);
    if (section == "memory") judge_memory(text, weak);
    if (section == "replication") judge_replicas(text, options.url.replicas, weak);
    if (section == "persistence") persistence = text;
  }
  const auto reply = link->ask({"CONFIG", "GET", "appendfsync"}, waiter, deadline);
  if (!reply) return std::unexpected(reply.error().text);
  std::optional<std::string> sync;
  if ((*reply)->is(RespValue::Kind::list)) sync = (*reply)->at(1).text;
  judge_disk(persistence, std::move(sync), weak);
  return weak;
}

}  // namespace tocsin::net
