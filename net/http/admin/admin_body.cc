#include "net/http/admin/admin_body.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "net/auth/principal.h"
#include "net/jose/strict_json.h"
#include "proto/limits.h"
#include "proto/text/nearest_name.h"

namespace tocsin::net {
namespace {

using proto::InputError;
using simdjson::dom::element;

// The end of the year 9999: what is later was meant in other units.
constexpr std::int64_t kLatest = 253'402'300'799;

std::string set(std::optional<std::string>& member, element value,
                std::string (*fault_of)(std::string_view)) {
  std::string_view text;
  if (value.get(text) != simdjson::SUCCESS) return "must be a string";
  member = std::string(text);
  return fault_of(text);
}

std::string set(std::optional<std::int64_t>& member, element value) {
  std::int64_t number = 0;
  if (value.get(number) != simdjson::SUCCESS || number < 0 || number > kLatest) {
    return "must be seconds since 1970, a whole number";
  }
  member = number;
  return {};
}

// Why the member cannot be; empty: it was taken.
std::string take(AdminBody& body, std::string_view name, element value) {
  if (name == "subject") return set(body.subject, value, subject_fault);
  if (name == "topic") return set(body.topic, value, topic_fault);
  if (name == "until") return set(body.until, value);
  return set(body.stream, value, [](std::string_view) { return std::string{}; });
}

}  // namespace

std::string subject_fault(std::string_view text) {
  if (text.empty()) return "is empty";
  if (text.size() <= Principal::kMaxSubject) return {};
  return fmt::format("is longer than {} bytes", Principal::kMaxSubject);
}

std::string topic_fault(std::string_view text) {
  if (proto::is_topic_name(text)) return {};
  return fmt::format("must be 1 to {} bytes without control characters", limits::kMaxTopicName);
}

std::expected<AdminBody, InputError> read_admin_body(std::string_view body,
                                                     std::span<const std::string_view> members) {
  constexpr std::size_t kMaxNamed = 64;
  const auto json = StrictJson::parse(body, "");
  if (!json) {
    return std::unexpected(InputError{.field = "body", .message = json.error().substr(1)});
  }
  AdminBody result;
  for (const auto& [name, value] : json->root()) {
    const bool known = std::ranges::find(members, name) != members.end();
    std::string fault = known ? take(result, name, value)
                              : "unknown key; " + proto::did_you_mean(name, members);
    if (fault.empty()) continue;
    return std::unexpected(
        InputError{.field = std::string(name.empty() || name.size() > kMaxNamed ? "body" : name),
                   .message = std::move(fault)});
  }
  return result;
}

}  // namespace tocsin::net
