#include "proto/http/header_name.h"

#include <algorithm>
#include <array>

#include "proto/text/ascii.h"

namespace tocsin::proto {

namespace {

struct KnownName {
  std::string_view name;
  Header header;
};

constexpr std::array<KnownName, static_cast<std::size_t>(Header::kCount)> kKnownNames = {{
    {"accept", Header::accept},
    {"access-control-request-headers", Header::access_control_request_headers},
    {"access-control-request-method", Header::access_control_request_method},
    {"authorization", Header::authorization},
    {"content-encoding", Header::content_encoding},
    {"content-type", Header::content_type},
    {"cookie", Header::cookie},
    {"host", Header::host},
    {"idempotency-key", Header::idempotency_key},
    {"if-none-match", Header::if_none_match},
    {"last-event-id", Header::last_event_id},
    {"origin", Header::origin},
    {"publish-id", Header::publish_id},
    {"referer", Header::referer},
    {"sec-fetch-site", Header::sec_fetch_site},
    {"user-agent", Header::user_agent},
    {"x-forwarded-for", Header::x_forwarded_for},
    {"x-varnish", Header::x_varnish},
}};

static_assert(std::ranges::all_of(kKnownNames, [](const KnownName& known) {
  return known.name.size() <= kMaxKnownName;
}));

}  // namespace

std::optional<Header> known_header(std::string_view name) {
  for (const auto& known : kKnownNames) {
    if (known.name.size() == name.size() && equals_ignoring_case(name, known.name)) {
      return known.header;
    }
  }
  return std::nullopt;
}

bool first_wins(Header header) {
  return header == Header::last_event_id || header == Header::content_type;
}

std::string_view joint_of(Header header) {
  // HTTP/2 may have cut it up between cookies (RFC 9113, 8.2.3).
  return header == Header::cookie ? "; " : ", ";
}

void WordMatcher::add(std::string_view piece) {
  for (char c : piece) {
    if (matches() && (c == ' ' || c == '\t')) continue;
    const bool match = matched_ < word_.size() && to_lower(c) == word_[matched_];
    matched_ = match ? static_cast<std::uint8_t>(matched_ + 1) : kNever;
  }
}

}  // namespace tocsin::proto
