#include "net/state/trusted_proxies.h"

#include <algorithm>
#include <optional>

#include "proto/assert.h"
#include "proto/text/ascii.h"

namespace tocsin::net {
namespace {

bool is_port(std::string_view text) {
  return !text.empty() && text.size() <= 5 && std::ranges::all_of(text, proto::is_digit);
}

// As proxies write it: 192.0.2.1, 192.0.2.1:4711, 2001:db8::1, [2001:db8::1], [2001:db8::1]:4711.
std::optional<IpAddress> address_of(std::string_view text) {
  std::string_view host = text;
  std::string_view behind;
  if (text.starts_with('[')) {
    const std::size_t end = text.find(']');
    if (end == text.npos) return std::nullopt;
    host = text.substr(1, end - 1);
    behind = text.substr(end + 1);
    if (!host.contains(':')) return std::nullopt;
  } else if (std::ranges::count(text, ':') == 1) {
    host = text.substr(0, text.find(':'));
    behind = text.substr(host.size());
  }
  if (!behind.empty() && (!behind.starts_with(':') || !is_port(behind.substr(1)))) {
    return std::nullopt;
  }
  return IpAddress::parse(host);
}

}  // namespace

std::string proxy_fault(std::string_view text) {
  const auto network = IpNetwork::parse(text);
  return network ? std::string() : network.error();
}

TrustedProxies::TrustedProxies(std::span<const std::string> networks) {
  for (const std::string& text : networks) {
    const auto network = IpNetwork::parse(text);
    TOCSIN_ASSERT(network.has_value());
    networks_.push_back(*network);
  }
}

bool TrustedProxies::trusts(const IpAddress& address) const {
  return std::ranges::any_of(
      networks_, [&address](const IpNetwork& network) { return network.contains(address); });
}

IpAddress TrustedProxies::client_of(const IpAddress& peer, std::string_view forwarded_for) const {
  IpAddress client = peer;
  for (std::size_t i = 0; i < kMaxProxies && !forwarded_for.empty() && trusts(client); ++i) {
    const std::size_t comma = forwarded_for.rfind(',');
    const bool is_first = comma == forwarded_for.npos;
    const auto said = address_of(proto::trim(forwarded_for.substr(is_first ? 0 : comma + 1)));
    if (!said) break;
    client = *said;
    forwarded_for = forwarded_for.substr(0, is_first ? 0 : comma);
  }
  return client;
}

}  // namespace tocsin::net
