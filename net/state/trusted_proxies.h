// Whose word counts on whom a request is from: the proxies in front of the hub.
//
// A proxy appends the address that it was asked from to X-Forwarded-For, and passes on what was
// there: anybody may have written that. So the list is read from its end. The last element is what
// the hub's own peer says; only if that is a trusted proxy, too, the one before it counts.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "net/base/ip_address.h"

namespace tocsin::net {

// What keeps `text` from being an element of trusted_proxies, as a sentence that continues it;
// empty: nothing does.
[[nodiscard]] std::string proxy_fault(std::string_view text);

// Threads: one object per shard, used by its thread.
class TrustedProxies {
 public:
  // Elements of a list that are read: who has more proxies in a row has none that anybody trusts.
  static constexpr std::size_t kMaxProxies = 32;

  TrustedProxies() = default;  // none
  // REQUIRES: proxy_fault() of each is empty.
  explicit TrustedProxies(std::span<const std::string> networks);

  [[nodiscard]] bool none() const { return networks_.empty(); }
  [[nodiscard]] bool trusts(const IpAddress& address) const;

  // Whom a request is from that `peer` has sent, with this X-Forwarded-For. What cannot be read
  // ("unknown", a name) ends the walk: such a request is from the proxy that passed it on.
  [[nodiscard]] IpAddress client_of(const IpAddress& peer, std::string_view forwarded_for) const;

 private:
  std::vector<IpNetwork> networks_;
};

}  // namespace tocsin::net
