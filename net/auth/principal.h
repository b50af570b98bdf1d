// Who makes a request, and what it may do: what every kind of credential comes to.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "net/auth/denial.h"
#include "net/auth/selectors.h"

namespace tocsin::net {

enum class CredentialKind : std::uint8_t { open, anonymous, key, token, signed_url, webhook };

// Immutable once it is shared.
struct Principal {
  CredentialKind kind = CredentialKind::anonymous;
  // A token's or URL's `sub`, a key's name; empty: nobody in particular. At most kMaxSubject bytes
  // of UTF-8 without control characters.
  std::string subject{};
  Selectors publish{};
  Selectors subscribe{};
  bool admin = false;
  // How all this was obtained, in 64 bits of a hash (source.h): the same in each Authority that
  // would take the credential in the same way. 0: in no way that could go.
  std::uint64_t source = 0;
  // Seconds since 1970 at which all this ends, leeway included; nothing: never.
  std::optional<std::int64_t> expires_at_s{};

  static constexpr std::size_t kMaxSubject = 256;

  [[nodiscard]] bool may_publish(std::string_view topic) const { return publish.match(topic); }
  [[nodiscard]] bool may_subscribe(std::string_view topic) const { return subscribe.match(topic); }
  [[nodiscard]] bool is_expired(std::int64_t now_s) const {
    return expires_at_s && now_s >= *expires_at_s;
  }
  // Bytes of memory, about.
  [[nodiscard]] std::size_t memory() const;
};

using PrincipalPtr = std::shared_ptr<const Principal>;

// Everybody, where the hub is open: may publish and read all topics, and is no admin. The pointer
// counts no references, so that copies of it on many cores cost nothing.
[[nodiscard]] PrincipalPtr open_principal();

// Whoever has no credential, where that is allowed. REQUIRES: `subscribe` is not empty, else there
// would be nothing to allow.
[[nodiscard]] PrincipalPtr anonymous_principal(Selectors subscribe);

// For a topic that may_publish() or may_subscribe() denies: "the token may read chat/*, not news".
// Without a credential the cause is no_credential, since one would help.
[[nodiscard]] Denial deny_publish(const Principal& principal, std::string_view topic);
[[nodiscard]] Denial deny_subscribe(const Principal& principal, std::string_view topic);

}  // namespace tocsin::net
