#include "net/redis/sentinels.h"

#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "net/redis/stored_history.h"
#include "proto/assert.h"

namespace tocsin::net {
namespace {

using Kind = RespValue::Kind;

// Of a list of names and values; nil: it has none of this name.
const RespValue& field(const RespValue& list, std::string_view name) {
  for (std::size_t i = 0; i + 1 < list.items().size(); i += 2) {
    if (list.at(i).text == name) return list.at(i + 1);
  }
  static const RespValue nil;
  return nil;
}

}  // namespace

Sentinels::Sentinels(const RedisUrl& url, RedisTrust tls)
    : url_(url), tls_(std::move(tls)), links_(url.servers.size()) {
  TOCSIN_ASSERT(!url.master.empty() && !url.servers.empty());
}

Sentinels::Answer Sentinels::ask(Waiter& waiter, TimePoint deadline) {
  Answer newest = std::unexpected(RedisFault{});
  for (std::size_t i = 0; i < links_.size(); ++i) {
    const TimePoint now = waiter.now();
    const auto left = static_cast<std::int64_t>(links_.size() - i);
    Answer answer = ask_one(i, waiter, now + (deadline - now) / left);
    const bool newer =
        answer ? !newest || answer->configuration > newest->configuration : !newest;
    if (newer) newest = std::move(answer);
  }
  return newest;
}

Sentinels::Answer Sentinels::ask_one(std::size_t index, Waiter& waiter, TimePoint deadline) {
  const auto about = ask_for(index, "MASTER", waiter, deadline);
  if (!about) return std::unexpected(about.error());
  Named named{.master = {},
              .configuration = parse_count(field(**about, "config-epoch")).value_or(0),
              .others = parse_count(field(**about, "num-other-sentinels")).value_or(0)};
  // While it promotes another, this is the one that it promotes.
  const auto address = ask_for(index, "GET-MASTER-ADDR-BY-NAME", waiter, deadline);
  if (!address) return std::unexpected(address.error());
  const auto port = parse_count((*address)->at(1));
  if ((*address)->at(0).text.empty() || !port || *port == 0 || *port > UINT16_MAX) {
    return std::unexpected(RedisFault{fmt::format("the Sentinel {} knows no master {}",
                                                  to_string(url_.servers[index]), url_.master)});
  }
  named.master = {.host = std::string((*address)->at(0).text),
                  .port = static_cast<std::uint16_t>(*port)};
  return named;
}

std::expected<void, RedisFault> Sentinels::check_quorum(std::size_t index, Waiter& waiter,
                                                        TimePoint deadline) {
  const auto reply = ask_for(index, "CKQUORUM", waiter, deadline);
  if (!reply) return std::unexpected(reply.error());
  return {};
}

// `SENTINEL WHAT MASTER`. The error, too, if that is its answer.
Sentinels::Reply Sentinels::ask_for(std::size_t index, std::string_view what, Waiter& waiter,
                                    TimePoint deadline) {
  std::optional<RedisLink>& link = links_[index];
  const auto fault = [&](std::string_view why, bool lasting) {
    return std::unexpected(RedisFault{
        fmt::format("the Sentinel {}: {}", to_string(url_.servers[index]), why), lasting});
  };
  const auto ask = [&] { return link->ask({"SENTINEL", what, url_.master}, waiter, deadline); };
  if (!link) {
    auto made = RedisLink::connect(url_.servers[index], tls_, waiter, deadline);
    if (!made) return std::unexpected(std::move(made.error()));
    link.emplace(*std::move(made));
  }
  auto reply = ask();
  // It has a password: the master's, as there is one in the URL.
  const auto wants_password = [&] {
    return reply && (*reply)->is(Kind::error) && (*reply)->text.starts_with("NOAUTH");
  };
  if (wants_password() && !url_.password.empty()) {
    if (auto known = link->authenticate(url_, waiter, deadline); !known) {
      link.reset();
      return std::unexpected(std::move(known.error()));
    }
    reply = ask();
  }
  if (!reply) {
    link.reset();
    return reply;
  }
  if ((*reply)->is(Kind::error)) return fault((*reply)->text, is_lasting((*reply)->text));
  return reply;
}

}  // namespace tocsin::net
