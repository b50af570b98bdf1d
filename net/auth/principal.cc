#include "net/auth/principal.h"

#include <string>
#include <utility>

#include "proto/assert.h"

namespace tocsin::net {
namespace {

std::string_view subject_of_words(CredentialKind kind) {
  switch (kind) {
    case CredentialKind::key:
      return "the key";
    case CredentialKind::token:
      return "the token";
    case CredentialKind::signed_url:
      return "the signed URL";
    case CredentialKind::webhook:
      return "the credential";
    case CredentialKind::open:
    case CredentialKind::anonymous:
      break;
  }
  return "nobody";
}

Denial deny(const Principal& principal, std::string_view verb, const Selectors& allowed,
            std::string_view topic) {
  if (principal.kind == CredentialKind::anonymous) {
    std::string reason = "it takes a credential to " + std::string(verb) + ' ' + shown(topic);
    if (!allowed.empty()) reason += "; without one there is " + allowed.words();
    return {.cause = DenialCause::no_credential, .reason = std::move(reason)};
  }
  std::string reason(subject_of_words(principal.kind));
  reason += " may " + std::string(verb) + ' ' + allowed.words() + ", not " + shown(topic);
  return {.cause = DenialCause::insufficient_scope, .reason = std::move(reason)};
}

}  // namespace

std::size_t Principal::memory() const {
  return sizeof(Principal) + subject.size() + publish.memory() + subscribe.memory();
}

PrincipalPtr open_principal() {
  static const Principal kOpen{
      .kind = CredentialKind::open, .publish = Selectors::all(), .subscribe = Selectors::all()};
  return {std::shared_ptr<void>(), &kOpen};  // owns nothing, so nothing is counted
}

PrincipalPtr anonymous_principal(Selectors subscribe) {
  TOCSIN_ASSERT(!subscribe.empty());
  return std::make_shared<const Principal>(
      Principal{.kind = CredentialKind::anonymous, .subscribe = std::move(subscribe)});
}

Denial deny_publish(const Principal& principal, std::string_view topic) {
  TOCSIN_DEBUG_ASSERT(!principal.may_publish(topic));
  return deny(principal, "publish to", principal.publish, topic);
}

Denial deny_subscribe(const Principal& principal, std::string_view topic) {
  TOCSIN_DEBUG_ASSERT(!principal.may_subscribe(topic));
  return deny(principal, "read", principal.subscribe, topic);
}

}  // namespace tocsin::net
