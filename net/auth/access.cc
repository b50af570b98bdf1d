#include "net/auth/access.h"

#include <algorithm>

#include "net/auth/source.h"
#include "proto/limits.h"
#include "proto/text/name_pattern.h"

namespace tocsin::net {
namespace {

const Selectors& selectors_of(const Principal& principal, Right right) {
  return right == Right::subscribe ? principal.subscribe : principal.publish;
}

std::optional<TopicAccess> access_of(const TopicNamespace& space, Right right) {
  return right == Right::subscribe ? space.subscribe : space.publish;
}

// The first that has the topic; null: none.
const TopicNamespace* namespace_of(const ServerOptions& options, std::string_view topic) {
  const auto space = std::ranges::find_if(options.namespaces, [topic](const TopicNamespace& one) {
    return proto::matches_name(one.match, topic);
  });
  return space == options.namespaces.end() ? nullptr : &*space;
}

}  // namespace

std::optional<std::uint64_t> mark_of(const Access& access, CredentialPlace place) {
  static const std::uint64_t kQuery = source_of({"query"});
  static const std::uint64_t kQueryToChange = source_of({"query to change"});
  switch (place) {
    case CredentialPlace::field:
      return 0;
    case CredentialPlace::cookie:
      if (access.cookie.empty()) return std::nullopt;
      return source_of({"cookie", access.cookie});
    case CredentialPlace::query:
      return access.query_token ? std::optional(kQuery) : std::nullopt;
    case CredentialPlace::query_to_change:
      return access.query_token_publishes ? std::optional(kQueryToChange) : std::nullopt;
  }
  return std::nullopt;
}

bool is_looked_at(const Access& access, std::uint64_t mark) {
  return std::ranges::any_of(kCredentialPlaces,
                             [&](CredentialPlace place) { return mark_of(access, place) == mark; });
}

std::optional<TopicAccess> access_of(const ServerOptions& options, Right right,
                                     std::string_view topic) {
  const TopicNamespace* space = namespace_of(options, topic);
  return space == nullptr ? std::nullopt : access_of(*space, right);
}

bool has_presence(const ServerOptions& options, std::string_view topic) {
  if (topic.starts_with(kPresencePrefix)) return false;
  if (topic.size() + kPresencePrefix.size() > limits::kMaxTopicName) return false;
  const TopicNamespace* space = namespace_of(options, topic);
  return space != nullptr && space->presence;
}

std::optional<Denial> deny(const ServerOptions& options, Right right, const Principal& principal,
                           std::string_view topic, std::size_t* steps) {
  const bool open = principal.kind == CredentialKind::open;
  const bool reads = right == Right::subscribe;
  const auto fault = [&](std::string_view words) {  // no credential would help
    return Denial{.cause = DenialCause::insufficient_scope,
                  .reason = "topic " + shown(topic) + ": " + std::string(words)};
  };
  if (!reads && topic.starts_with(kPresencePrefix) &&
      has_presence(options, topic.substr(kPresencePrefix.size()))) {
    return fault("the hub itself says here who is there");
  }
  const auto usual = open ? TopicAccess::open : TopicAccess::token;
  switch (access_of(options, right, topic).value_or(usual)) {
    case TopicAccess::open:
      return std::nullopt;
    case TopicAccess::nobody:
      return fault(reads ? "clients may not read it" : "clients may not publish here");
    case TopicAccess::token:
      break;
  }
  if (open) {
    return fault(reads ? "reading takes a token, and this hub knows none"
                       : "publishing takes a token, and this hub knows none");
  }
  if (selectors_of(principal, right).match(topic, steps)) return std::nullopt;
  return reads ? deny_subscribe(principal, topic) : deny_publish(principal, topic);
}

std::expected<PrincipalPtr, Denial> without_credential(const Authority& authority,
                                                       const ServerOptions& options, Right right) {
  static const auto kNobody = std::make_shared<const Principal>();
  const auto anonymous = authority.check_nobody();
  const bool opens = std::ranges::any_of(options.namespaces, [right](const TopicNamespace& one) {
    return access_of(one, right) == TopicAccess::open;
  });
  if (anonymous && (opens || !selectors_of(**anonymous, right).empty())) return anonymous;
  if (opens) return kNobody;
  if (!anonymous) return anonymous;
  return std::unexpected(Denial{
      .cause = DenialCause::no_credential,
      .reason = right == Right::subscribe ? "without a credential nobody may read anything"
                                          : "without a credential nobody may publish"});
}

}  // namespace tocsin::net
