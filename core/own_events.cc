#include "core/own_events.h"

#include "proto/json/json_text.h"
#include "proto/sse/sse_encode.h"

namespace tocsin::core {

namespace {

void append_names(std::string& json, std::span<const TopicCursor> topics) {
  json += '[';
  for (const TopicCursor& at : topics) {
    if (at.topic->is_direct()) continue;
    if (json.back() != '[') json += ',';
    proto::append_json_string(json, at.topic->name);
  }
  json += ']';
}

}  // namespace

std::string_view to_string(GapReason reason) {
  switch (reason) {
    case GapReason::expired:
      return "expired";
    case GapReason::unknown_id:
      return "unknown_id";
    case GapReason::slow:
      return "slow";
  }
  return "unknown";
}

void append_gap_frame(std::string& out, GapReason reason, std::string_view last_event_id,
                      std::span<const TopicCursor> topics, proto::EventId id) {
  std::string data = "{\"reason\":\"";
  data += to_string(reason);
  data += "\",\"last_event_id\":";
  proto::append_json_string(data, last_event_id);
  data += ",\"topics\":";
  append_names(data, topics);
  data += '}';
  out += proto::encode_frame(
      {.topic = {}, .type = kGapEvent, .id = proto::to_string(id), .data = data, .retry_ms = {}});
}

std::string_view to_string(RightLoss reason) {
  switch (reason) {
    case RightLoss::expired:
      return "expired";
    case RightLoss::revoked:
      return "revoked";
    case RightLoss::disconnected:
      return "disconnected";
  }
  return "unknown";
}

void append_expired_frame(std::string& out, RightLoss reason) {
  std::string data = "{\"reason\":\"";
  data += to_string(reason);
  data += "\"}";
  out += proto::encode_frame(
      {.topic = {}, .type = proto::kExpiredEvent, .id = {}, .data = data, .retry_ms = {}});
}

void append_open_frame(std::string& out, std::span<const TopicCursor> topics,
                       std::string_view position) {
  std::string data = "{\"topics\":";
  append_names(data, topics);
  data += ",\"position\":";
  proto::append_json_string(data, position);
  data += '}';
  out += proto::encode_frame(
      {.topic = {}, .type = proto::kOpenEvent, .id = position, .data = data, .retry_ms = {}});
}

}  // namespace tocsin::core
