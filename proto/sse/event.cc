#include "proto/sse/event.h"

#include <algorithm>
#include <utility>

#include "proto/limits.h"
#include "proto/text/utf8.h"

namespace tocsin::proto {

namespace {

bool is_hubs_own(std::string_view type) {
  return type == kGapEvent || type == kOpenEvent || type == kExpiredEvent;
}

std::optional<InputError> refuse(std::string_view field, std::string message) {
  return InputError{.field = std::string(field), .message = std::move(message)};
}

std::string too_long(std::size_t max) {
  return "is longer than " + std::to_string(max) + " bytes";
}

std::optional<InputError> check_name(std::string_view field, std::string_view name,
                                     std::size_t max) {
  if (name.size() > max) return refuse(field, too_long(max));
  // The standard asks this of CR, LF and NUL only. Nobody means the others in a name.
  if (has_controls(name)) return refuse(field, "has a control character");
  if (!is_utf8(name)) return refuse(field, "is not valid UTF-8");
  return std::nullopt;
}

std::optional<InputError> check_id(std::string_view id) {
  if (id.size() > limits::kMaxEventId) return refuse("id", too_long(limits::kMaxEventId));
  // It comes back in a Last-Event-ID field, which carries neither controls nor blanks at its ends
  // (RFC 9110, 5.5): such an id could never resume.
  const auto is_control = [](char c) { return static_cast<unsigned char>(c) < ' ' || c == '\x7f'; };
  if (std::ranges::any_of(id, is_control)) return refuse("id", "has a control character");
  if (id.starts_with(' ') || id.ends_with(' ')) return refuse("id", "begins or ends with a blank");
  if (!is_utf8(id)) return refuse("id", "is not valid UTF-8");
  return std::nullopt;
}

}  // namespace

std::optional<InputError> check(const EventView& event, const MemberNames& names) {
  if (auto error = check_name(names.topic, event.topic, limits::kMaxTopicName)) return error;
  if (auto error = check_name(names.type, event.type, limits::kMaxEventType)) return error;
  if (is_hubs_own(event.type)) return refuse(names.type, "is the hub's own");
  if (auto error = check_id(event.id)) return error;
  if (event.retry_ms && *event.retry_ms > limits::kMaxRetryMs) {
    return refuse("retry", "is more than " + std::to_string(limits::kMaxRetryMs) + " ms");
  }
  if (event.data.size() > limits::kMaxEventData) {
    auto error = refuse(names.data, too_long(limits::kMaxEventData));
    error->too_large = true;
    return error;
  }
  if (!is_utf8(event.data)) return refuse(names.data, "is not valid UTF-8");
  return std::nullopt;
}

InputError given_twice(std::string_view name, std::string_view first) {
  std::string message = "is given twice";
  if (name != first) message.append("; ").append(first).append(" is another name for it");
  return {.field = std::string(name), .message = std::move(message)};
}

bool is_topic_name(std::string_view name) {
  return !name.empty() && !check_name("topic", name, limits::kMaxTopicName);
}

}  // namespace tocsin::proto
