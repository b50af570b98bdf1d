#include "net/redis/master_link.h"

#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "net/redis/sentinels.h"
#include "net/redis/stored_history.h"
#include "proto/assert.h"
#include "proto/text/number.h"

namespace tocsin::net {
namespace {

using Kind = RespValue::Kind;
using Server = RedisUrl::Server;

// A node names the right one at once; two may disagree while a slot moves.
constexpr unsigned kMostMoves = 4;

// "MOVED SLOT HOST:PORT"; HOST may be an IPv6 address without brackets, or missing: the same host.
std::optional<Server> moved_to(const RespValue& reply, const Server& from) {
  constexpr std::string_view kMoved = "MOVED ";
  if (!reply.is(Kind::error) || !reply.text.starts_with(kMoved)) return std::nullopt;
  const std::string_view where = reply.text.substr(reply.text.rfind(' ') + 1);
  const auto colon = where.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  const auto port = proto::read_number<std::uint16_t>(where.substr(colon + 1));
  if (!port || *port == 0) return std::nullopt;
  const std::string_view host = where.substr(0, colon);
  return Server{.host = host.empty() ? from.host : std::string(host), .port = *port};
}

// Of a server that was asked something which only the history's master does.
struct Introduced {
  RedisLink link;
  std::optional<Server> moved{};  // the history is there
};
std::expected<Introduced, RedisFault> introduce(const RedisUrl& url, const Server& server,
                                                const RedisTrust& tls, Waiter& waiter,
                                                TimePoint deadline) {
  auto link = RedisLink::connect(server, tls, waiter, deadline);
  if (!link) return std::unexpected(std::move(link.error()));
  if (auto known = link->authenticate(url, waiter, deadline); !known) {
    return std::unexpected(std::move(known.error()));
  }
  const StoredKeys keys(url.name);
  const auto named = link->ask({"CLIENT", "SETNAME", "tocsin"}, waiter, deadline);
  if (!named) return std::unexpected(named.error());
  if ((*named)->is(Kind::error)) return std::unexpected(link->fault_of(**named));
  const auto head = link->ask({"HGET", keys.head, "v"}, waiter, deadline);
  if (!head) return std::unexpected(head.error());
  if (auto moved = moved_to(**head, server)) {
    return Introduced{.link = *std::move(link), .moved = std::move(moved)};
  }
  if ((*head)->is(Kind::error)) return std::unexpected(link->fault_of(**head));
  const auto role = link->ask({"ROLE"}, waiter, deadline);
  if (!role) return std::unexpected(role.error());
  if ((*role)->is(Kind::error)) return std::unexpected(link->fault_of(**role));
  if ((*role)->at(0).text != "master") {
    return std::unexpected(RedisFault{fmt::format("{} is no master", to_string(server))});
  }
  return Introduced{.link = *std::move(link)};
}

std::expected<RedisLink, RedisFault> follow(const RedisUrl& url, Server server,
                                            const RedisTrust& tls, Waiter& waiter,
                                            TimePoint deadline) {
  for (unsigned moves = 0; moves <= kMostMoves; ++moves) {
    auto introduced = introduce(url, server, tls, waiter, deadline);
    if (!introduced) return std::unexpected(std::move(introduced.error()));
    if (!introduced->moved) return std::move(introduced->link);
    server = *std::move(introduced->moved);
  }
  return std::unexpected(RedisFault{fmt::format("{}: its nodes do not agree who has the history",
                                                to_string(server))});
}

}  // namespace

std::expected<MasterLink, RedisFault> open_master(const RedisUrl& url, const RedisTrust& tls,
                                                  Waiter& waiter, TimePoint deadline) {
  TOCSIN_ASSERT(!url.servers.empty());
  if (!url.master.empty()) {
    const TimePoint now = waiter.now();
    const auto named = Sentinels(url, tls).ask(waiter, now + (deadline - now) / 2);
    if (!named) return std::unexpected(named.error());
    auto link = follow(url, named->master, tls, waiter, deadline);
    if (!link) return std::unexpected(std::move(link.error()));
    return MasterLink{.link = *std::move(link), .configuration = named->configuration};
  }
  RedisFault last;
  auto left = static_cast<std::int64_t>(url.servers.size());
  for (const Server& server : url.servers) {
    const TimePoint now = waiter.now();
    auto link = follow(url, server, tls, waiter, now + (deadline - now) / left--);
    if (link) return MasterLink{.link = *std::move(link)};
    last = std::move(link.error());
  }
  return std::unexpected(std::move(last));
}

std::expected<RedisLink, RedisFault> open_again(const RedisUrl& url, const Server& server,
                                                const RedisTrust& tls, Waiter& waiter,
                                                TimePoint deadline) {
  auto introduced = introduce(url, server, tls, waiter, deadline);
  if (!introduced) return std::unexpected(std::move(introduced.error()));
  if (introduced->moved) {
    return std::unexpected(
        RedisFault{fmt::format("{} has the history no more", to_string(server))});
  }
  return std::move(introduced->link);
}

}  // namespace tocsin::net
