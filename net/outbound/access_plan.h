// What an Access is made of: the configuration, and what is fetched of other servers. And what an
// operator wants to know of these before a hub relies on them.
#pragma once

#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "net/auth/access.h"
#include "net/auth/authority.h"
#include "net/jose/verification_key.h"
#include "net/outbound/back_end.h"
#include "net/outbound/key_source.h"

namespace tocsin::net {

// Immutable.
struct AccessPlan {
  Access access{};                 // without its authority, and what goes with other servers
  AuthoritySettings authority{};   // of issuers the keys that stand in files
  // Those that Issuer::key_source names, each once, at most limits::kMaxKeySources.
  std::vector<KeySettings> key_sources{};
  std::optional<BackEndSettings> back_end{};
};

// `keys_of`: what a key source has, by its name.
[[nodiscard]] std::shared_ptr<const Authority> make_authority(
    const AccessPlan& plan,
    const std::function<std::span<const VerificationKey>(std::string_view source)>& keys_of);

// --- for commands: these block, for 20 s at most (look-ups of names apart)

[[nodiscard]] std::expected<FetchedKeys, std::string> fetch_keys(const KeySettings& settings);
// Asks for somebody without a credential. Nothing: it answers as it should, with whatever it says.
[[nodiscard]] std::optional<std::string> probe_back_end(const BackEndSettings& settings);

}  // namespace tocsin::net
