// How a hub treats its visitors: what a program makes of its configuration and gives to
// Server::start() and Server::reload(), and what follows from it and from the namespaces of
// ServerOptions. Made whole, then shared and never changed.
//
// Which pages may send a cookie is not here: those of the hub's own host, and those that may read
// the answers, ServerOptions::cors_origins. Where there is an authority "*" counts for nothing.
#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "net/auth/authority.h"
#include "net/auth/denial.h"
#include "net/auth/principal.h"
#include "net/server_options.h"

namespace tocsin::net {

struct Access {
  // Null: nobody is asked for a credential.
  std::shared_ptr<const Authority> authority{};

  // Of WWW-Authenticate: as challenge() wants it.
  std::string realm = "tocsin";
  // The cookie that has a credential; empty: none does.
  std::string cookie{};
  // Whether the query's `token` may be one: to read, and to publish. Queries end up in logs of
  // proxies and in histories of browsers.
  bool query_token = true;
  bool query_token_publishes = false;
};

enum class Right : std::uint8_t { subscribe, publish };

// What the first namespace that has the topic says; nothing: none, or nothing.
[[nodiscard]] std::optional<TopicAccess> access_of(const ServerOptions& options, Right right,
                                                   std::string_view topic);

// Why the principal has no such right at the topic; nothing: it has. Where no namespace says
// anything everybody has it in an open hub, else whoever's credential says so.
[[nodiscard]] std::optional<Denial> deny(const ServerOptions& options, Right right,
                                         const Principal& principal, std::string_view topic);

// Whoever has no credential; the denial: it has the right at no topic at all.
[[nodiscard]] std::expected<PrincipalPtr, Denial> without_credential(const Authority& authority,
                                                                     const ServerOptions& options,
                                                                     Right right);

}  // namespace tocsin::net
