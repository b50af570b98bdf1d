// The body of a request to the admin API: a JSON object of a few members.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "proto/sse/event.h"

namespace tocsin::net {

struct AdminBody {
  std::optional<std::string> subject{};
  std::optional<std::string> topic{};
  std::optional<std::string> stream{};
  std::optional<std::int64_t> until{};  // seconds since 1970
};

// The members that may be there. Each is checked for what it can be; whether a subject, topic or
// stream of that name is there is not. `body` is read as JSON whatever its Content-Type says: curl
// says of all that it is a form.
[[nodiscard]] std::expected<AdminBody, proto::InputError> read_admin_body(
    std::string_view body, std::span<const std::string_view> members);

// For people: why a text can be no subject of a credential; empty: it can.
[[nodiscard]] std::string subject_fault(std::string_view text);
// The same of a topic's name.
[[nodiscard]] std::string topic_fault(std::string_view text);

}  // namespace tocsin::net
