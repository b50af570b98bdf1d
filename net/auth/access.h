// How a hub treats its visitors: what a program makes of its configuration and gives to
// Server::start() and Server::reload(), and what follows from it and from the namespaces of
// ServerOptions. Made whole, then shared and never changed.
//
// Which pages may send a cookie is not here: those of the hub's own host, and those that may read
// the answers, ServerOptions::cors_origins. Where there is an authority "*" counts for nothing.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "net/auth/authority.h"
#include "net/auth/denial.h"
#include "net/auth/principal.h"
#include "net/server_options.h"
#include "proto/http/request.h"

namespace tocsin::net {

class RemoteAuthority;

// A header field that the operator's back end is sent.
struct PassedField {
  proto::Header header;
  std::string_view name;  // a literal

  friend bool operator==(const PassedField&, const PassedField&) = default;
};

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
  // Whether /metrics is there for everybody, and /readyz says whom it waits for. False: the page is
  // for whoever has an access key, whatever that may do.
  bool public_metrics = true;

  // What other servers know (net/state/remote_authority.h); null: none is asked.
  std::shared_ptr<RemoteAuthority> remote{};
  // What the operator's back end is sent of a request whose credential is nobody's that the
  // authority knows; empty: there is no such back end.
  std::vector<PassedField> passed_fields{};
  // Principal::source of those whom it lets in. 0: there is no such back end.
  std::uint64_t back_end = 0;
};

// Where in a request a key or a token may stand: in Authorization, in the cookie, in the query to
// read, or in the query to publish and the like.
enum class CredentialPlace : std::uint8_t { field, cookie, query, query_to_change };
inline constexpr std::array kCredentialPlaces{CredentialPlace::field, CredentialPlace::cookie,
                                              CredentialPlace::query,
                                              CredentialPlace::query_to_change};
// The place in 64 bits, 0 for Authorization: the same as long as what stands there counts. Nothing:
// it does not.
[[nodiscard]] std::optional<std::uint64_t> mark_of(const Access& access, CredentialPlace place);
// Whether what stands where the mark says counts.
[[nodiscard]] bool is_looked_at(const Access& access, std::uint64_t mark);

enum class Right : std::uint8_t { subscribe, publish };

// Topics on which the hub itself tells who is on another: the prefix, and that one's name.
inline constexpr std::string_view kPresencePrefix = "presence/";
// Whether it is told who is on this topic. Never of the topics that tell it, nor of one whose
// name is so long that there can be none for it.
[[nodiscard]] bool has_presence(const ServerOptions& options, std::string_view topic);

// What the first namespace that has the topic says; nothing: none, or nothing.
[[nodiscard]] std::optional<TopicAccess> access_of(const ServerOptions& options, Right right,
                                                   std::string_view topic);

// Why the principal has no such right at the topic; nothing: it has. Where no namespace says
// anything everybody has it in an open hub, else whoever's credential says so. On the topics that
// tell who is there nobody publishes but the hub. `steps`: see Selectors::match().
[[nodiscard]] std::optional<Denial> deny(const ServerOptions& options, Right right,
                                         const Principal& principal, std::string_view topic,
                                         std::size_t* steps = nullptr);

// Whoever has no credential; the denial: it has the right at no topic at all.
[[nodiscard]] std::expected<PrincipalPtr, Denial> without_credential(const Authority& authority,
                                                                     const ServerOptions& options,
                                                                     Right right);

}  // namespace tocsin::net
