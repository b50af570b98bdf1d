// The key of a publish that may be repeated (core/publish/published_keys.h), as a request names it:
//
//   Publish-Id: NAME/NUMBER        a name of the publisher's own, and a number that rises by one
//   Idempotency-Key: "KEY"         a name that stands alone, quoted or not
//                                  (draft-ietf-httpapi-idempotency-key-header-07)
//
// A key is that of who asks: of the principal's subject and of what gave it its right. Who has no
// subject is known by its credential.
#pragma once

#include <expected>
#include <optional>
#include <span>
#include <string_view>

#include "core/publish/published_keys.h"
#include "net/auth/principal.h"
#include "proto/http/request.h"
#include "proto/sse/event.h"

namespace tocsin::net {

// Whether the request names one.
[[nodiscard]] inline bool has_publish_key(const proto::Request& request) {
  return request.has(proto::Header::publish_id) || request.has(proto::Header::idempotency_key);
}

// REQUIRES: has_publish_key(). The error is the request's.
[[nodiscard]] std::expected<core::PublishKey, proto::InputError> publish_key(
    const proto::Request& request, const Principal& principal,
    std::span<const proto::EventView> events);

// The field that the key is from, for people.
[[nodiscard]] std::string_view key_field(const core::PublishKey& key);

}  // namespace tocsin::net
