#include "net/auth/stream_right.h"

#include <algorithm>

#include "proto/assert.h"

namespace tocsin::net {

StreamRight::StreamRight(const Principal& principal, std::uint64_t place,
                         std::span<const std::string_view> topics)
    : source_(principal.source == 0 ? 0 : principal.source ^ place),
      kind_(principal.kind),
      by_itself_(std::ranges::all_of(topics, [&](std::string_view topic) {
        return principal.may_subscribe(topic);
      })) {}

StreamRight StreamRight::of_route(const Principal* principal, std::uint64_t place) {
  StreamRight right;
  if (principal != nullptr) right = StreamRight(*principal, place, {});
  right.by_route_ = true;
  return right;
}

template <typename Has>
bool StreamRight::in_some_place(const Access& access, const Has& has) const {
  return std::ranges::any_of(kCredentialPlaces, [&](CredentialPlace place) {
    const auto mark = mark_of(access, place);
    return mark && has(source_ ^ *mark);
  });
}

PrincipalPtr StreamRight::key(const Access& access) const {
  PrincipalPtr found;
  in_some_place(access, [&](std::uint64_t source) {
    found = access.authority->key_of(source);
    return found != nullptr;
  });
  return found;
}

bool StreamRight::has_source(const Access& access) const {
  TOCSIN_ASSERT(access.authority != nullptr);
  switch (kind_) {
    case CredentialKind::key:
      return key(access) != nullptr;
    case CredentialKind::token:
      return in_some_place(access, [&](std::uint64_t source) {
        return access.authority->has_source(kind_, source);
      });
    case CredentialKind::signed_url:
      return access.authority->has_source(kind_, source_);
    case CredentialKind::webhook:
      return in_some_place(access,
                           [&](std::uint64_t source) { return access.back_end == source; });
    case CredentialKind::open:
    case CredentialKind::anonymous:
      break;
  }
  return true;
}

bool StreamRight::holds(const Access* access, const ServerOptions& options,
                        std::span<const std::string_view> topics) const {
  const Authority* authority = access == nullptr ? nullptr : access->authority.get();
  if (source_ != 0 && authority != nullptr && !has_source(*access)) return false;
  if (by_route_) return true;
  // Who it is now; null: what it said is not known any more.
  PrincipalPtr principal;
  if (kind_ == CredentialKind::webhook) {
    // What it said holds, until it expires.
  } else if (authority == nullptr) {
    principal = open_principal();
  } else if (kind_ == CredentialKind::key) {
    principal = key(*access);
  } else if (kind_ == CredentialKind::open || kind_ == CredentialKind::anonymous) {
    const auto nobody = without_credential(*authority, options, Right::subscribe);
    if (!nobody) return false;
    principal = *nobody;
  }
  return std::ranges::all_of(topics, [&](std::string_view topic) {
    if (principal != nullptr) return !deny(options, Right::subscribe, *principal, topic);
    switch (access_of(options, Right::subscribe, topic).value_or(TopicAccess::token)) {
      case TopicAccess::open:
        return true;
      case TopicAccess::token:
        return by_itself_;
      case TopicAccess::nobody:
        break;
    }
    return false;
  });
}

}  // namespace tocsin::net
