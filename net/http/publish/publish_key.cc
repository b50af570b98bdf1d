#include "net/http/publish/publish_key.h"

#include <algorithm>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "net/base/clock.h"
#include "net/jose/digest.h"
#include "proto/assert.h"
#include "proto/limits.h"
#include "proto/text/number.h"

namespace tocsin::net {
namespace {

using proto::Header;
using proto::InputError;

constexpr std::string_view kPublishId = "Publish-Id";
constexpr std::string_view kIdempotencyKey = "Idempotency-Key";

std::unexpected<InputError> fault(std::string_view field, std::string message) {
  return std::unexpected(InputError{.field = std::string(field), .message = std::move(message)});
}

// What is said, so that no two texts together are another two.
void add(std::string& text, std::string_view part) {
  text.append(std::to_string(part.size())).append(":").append(part);
}

bool is_printable(char c) {
  return c >= ' ' && c < 0x7f;
}

// Not a blank either: two fields of one name come joined by ", ".
bool is_visible(char c) {
  return c > ' ' && c < 0x7f;
}

struct Named {
  std::string name;
  std::uint64_t number = 0;
};

std::expected<Named, InputError> read_publish_id(std::string_view value) {
  const std::size_t slash = value.rfind('/');
  if (slash == std::string_view::npos || slash == 0 || !std::ranges::all_of(value, is_visible)) {
    return fault(kPublishId, "is not NAME/NUMBER, in printable ASCII without blanks");
  }
  if (slash > limits::kMaxPublishName) {
    return fault(kPublishId,
                 fmt::format("has a name of more than {} bytes", limits::kMaxPublishName));
  }
  const auto number = proto::read_number<std::uint64_t>(value.substr(slash + 1));
  if (!number || *number == 0 || *number > limits::kMaxPublishNumber) {
    return fault(kPublishId,
                 fmt::format("has no number from 1 to {}", limits::kMaxPublishNumber));
  }
  return Named{.name = std::string(value.substr(0, slash)), .number = *number};
}

// A string of structured fields (RFC 8941, 3.3.3), or what many clients send instead: its text
// alone.
std::expected<Named, InputError> read_idempotency_key(std::string_view value) {
  std::string key;
  const bool quoted = value.starts_with('"');
  bool closed = !quoted;
  for (std::size_t i = quoted ? 1 : 0; i < value.size(); ++i) {
    if (quoted && value[i] == '"') {
      closed = i + 1 == value.size();
      break;
    }
    if (quoted && value[i] == '\\' && ++i == value.size()) break;
    key += value[i];
  }
  if (!closed || key.empty() || !std::ranges::all_of(key, quoted ? is_printable : is_visible)) {
    return fault(kIdempotencyKey, "is not one \"string\" in printable ASCII");
  }
  if (key.size() > limits::kMaxPublishName) {
    return fault(kIdempotencyKey, fmt::format("has more than {} bytes", limits::kMaxPublishName));
  }
  return Named{.name = std::move(key)};
}

core::PublishKey::Name digest_of(const proto::Request& request, const Principal& principal,
                                 const Named& named) {
  std::string text;
  add(text, std::to_string(static_cast<int>(principal.kind)));
  add(text, std::to_string(principal.source));
  add(text, principal.subject);
  if (principal.subject.empty() && principal.kind != CredentialKind::open) {
    add(text, request.header(Header::authorization));
    add(text, request.header(Header::cookie));
  }
  add(text, named.number > 0 ? kPublishId : kIdempotencyKey);
  add(text, named.name);
  const Digest digest = sha256(text);
  core::PublishKey::Name name;
  std::copy_n(digest.begin(), name.size(), name.begin());
  return name;
}

std::uint64_t content_of(std::span<const proto::EventView> events) {
  std::string text;
  for (const proto::EventView& event : events) {
    for (const std::string_view part : {event.topic, event.type, event.id, event.data}) {
      add(text, part);
    }
    add(text, event.retry_ms ? std::to_string(*event.retry_ms) : std::string());
    text.append(event.json ? "j" : "t").append(event.envelope ? "e" : "-");
  }
  const Digest digest = sha256(text);
  return first_bits({reinterpret_cast<const char*>(digest.data()), digest.size()});
}

}  // namespace

std::string_view key_field(const core::PublishKey& key) {
  return key.number > 0 ? kPublishId : kIdempotencyKey;
}

std::expected<core::PublishKey, InputError> publish_key(const proto::Request& request,
                                                        const Principal& principal,
                                                        std::span<const proto::EventView> events) {
  TOCSIN_ASSERT(has_publish_key(request));
  const bool numbered = request.has(Header::publish_id);
  if (numbered && request.has(Header::idempotency_key)) {
    return fault(kIdempotencyKey, "is one key, and Publish-Id another");
  }
  const auto named = numbered ? read_publish_id(request.header(Header::publish_id))
                              : read_idempotency_key(request.header(Header::idempotency_key));
  if (!named) return std::unexpected(named.error());
  return core::PublishKey{.name = digest_of(request, principal, *named),
                          .number = named->number,
                          .content = content_of(events),
                          .time_ms = read_clock_ns(CLOCK_REALTIME) / 1'000'000};
}

}  // namespace tocsin::net
